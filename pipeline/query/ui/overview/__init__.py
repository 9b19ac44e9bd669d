"""Overview: how a period went, and a way from every figure to its calls."""
