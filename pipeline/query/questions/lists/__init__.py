"""Lists: what can be listed, what is asked of a list, and the answer."""
