"""One call: its story, its timeline, its SIP messages, its price, and what late events changed."""
