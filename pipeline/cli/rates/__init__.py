"""`cdr rates`."""
