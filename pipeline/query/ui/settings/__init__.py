"""Settings of a company: users, tokens, the directory, decks, webhooks, how long calls are kept."""
