"""The report types: each a function from a definition and a range to tables and plots."""
