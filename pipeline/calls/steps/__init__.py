"""The steps of the fold, each a function over the call's state: legs, targets, moments, talk, outcome, record."""
