"""The web interface: pages over the same questions as `/v1`, for people who look and do not program."""
