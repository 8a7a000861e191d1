"""Apache Airflow provider for Voiso call detail records."""

__version__ = "0.1.0"
