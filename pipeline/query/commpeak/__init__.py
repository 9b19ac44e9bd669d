"""CommPeak's aggregation and lists under `/api/cdrs`: translation only."""
