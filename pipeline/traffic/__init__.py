"""Simulated traffic: realistic calls as canonical events."""
