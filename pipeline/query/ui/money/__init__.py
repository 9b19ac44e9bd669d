"""Money: what calls cost and what is left of it, and what a call would cost."""
