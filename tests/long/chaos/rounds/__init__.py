"""The rounds: what breaks, and how often."""
