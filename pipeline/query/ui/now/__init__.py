"""Now: calls in progress and queues, as they are at this moment."""
