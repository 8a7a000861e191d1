"""The Voiso connection: its form in Airflow and the settings it describes."""
