"""Our own surface, `/v1`."""
