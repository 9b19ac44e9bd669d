"""Files of raw events and captures, read without broker and database."""
