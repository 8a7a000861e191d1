"""The demo, and the real parts (object storage, simulator, Airflow) that it shares with the tests."""
