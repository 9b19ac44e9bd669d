"""What is asked of calls, whoever asks: `/v1` and the web interface speak of the same fields, filters and pages."""
