"""Destinations: file formats and SQL loaders; nothing of HTTP."""
