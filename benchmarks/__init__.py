"""Exports by this package, by its floors and by its peers, measured in turn on the same server and records."""
