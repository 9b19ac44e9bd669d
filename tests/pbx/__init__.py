"""A small PBX for the tests: stories of calls in neutral words, and the events by which each PBX tells them."""
