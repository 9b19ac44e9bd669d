"""The worker's batch loop: chunks in; calls folded, joined, priced and made durable."""
