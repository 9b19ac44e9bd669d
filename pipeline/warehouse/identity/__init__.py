"""Tokens, users, passwords and what they may do, as stored."""
