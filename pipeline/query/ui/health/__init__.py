"""Health: nodes, checks of the installation, dead letters, and what a raw event folds to."""
