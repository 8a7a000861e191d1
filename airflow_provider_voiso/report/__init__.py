"""What is told of an export: one manifest and its readers."""
