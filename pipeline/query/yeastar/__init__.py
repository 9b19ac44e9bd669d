"""Yeastar's call records under `/openapi/v1.0`: translation only."""
