"""Trunks and quality: how each trunk did, when, and why calls over it failed."""
