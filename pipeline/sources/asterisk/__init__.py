"""Asterisk: CEL rows, manager events (AMI) and ARI events to call events."""
