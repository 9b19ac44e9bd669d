"""Calls: the list, what it is narrowed to, what is shown of it, and files of it."""
