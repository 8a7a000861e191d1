"""Exports by this package, its floors and its peers, on the same server and records."""
