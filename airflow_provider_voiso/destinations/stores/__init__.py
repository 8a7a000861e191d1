"""Object stores: put a file at a key, look at it."""
