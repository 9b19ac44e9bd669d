"""Call events in, call detail records out."""

__version__ = "0.1.0"
