"""Erasure of a person's calls, and retention by tenant."""
