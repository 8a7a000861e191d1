"""The demo, and the real parts (S3, simulator, Airflow) that it shares with the tests."""
