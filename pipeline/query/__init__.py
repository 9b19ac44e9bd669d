"""The query service: one module an API surface over one set of warehouse queries."""
