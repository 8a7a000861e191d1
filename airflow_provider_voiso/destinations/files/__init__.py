"""Records as files: NDJSON, CSV and Parquet."""
