"""Real servers for tests, kills, benchmarks and the demo: S3, PostgreSQL, MariaDB, a local Voiso, proxies that break.

Each is a context manager that is ready once it is entered and leaves no process and no file behind.
"""
