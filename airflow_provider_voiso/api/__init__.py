"""The Voiso client: requests, paging, windows and records.

It imports nothing of Airflow but its exception classes.
"""
