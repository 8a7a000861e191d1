"""Real servers for tests, kills, benchmarks and the demo.

Each is a context manager that is ready once it is entered and leaves no process and no file behind.
"""
