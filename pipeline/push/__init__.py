"""Telling others: signed webhooks and the stream of call documents."""
