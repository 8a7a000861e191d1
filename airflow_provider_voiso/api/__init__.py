"""Voiso itself: requests, paging, windows and records; nothing of Airflow but its exception classes."""
