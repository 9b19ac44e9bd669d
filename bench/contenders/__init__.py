"""Other ways to do the worker's job, each a process of its own that reads the same topic."""
