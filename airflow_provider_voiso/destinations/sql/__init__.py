"""SQL databases: one window in one transaction."""
