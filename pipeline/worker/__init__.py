"""Faust: the app, the batched transport, the agents, the open calls, dead letters, change feed."""
