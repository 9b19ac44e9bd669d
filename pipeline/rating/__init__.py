"""Tariffs: number and duration → class, prefix, price. Knows nothing of where calls come from."""
