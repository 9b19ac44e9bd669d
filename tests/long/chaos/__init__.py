"""The fault suite: a ledger of calls whose truth is known, and faults while they are worked on."""
