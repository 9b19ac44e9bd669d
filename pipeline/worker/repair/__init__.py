"""Stored calls compared with the archive and corrected: verify, rebuild, rerate, dead letters."""
