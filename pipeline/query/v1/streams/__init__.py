"""Streams of server-sent events: calls in progress, finished calls."""
