"""Faust: the application, the batched transport, the agents."""
