"""PortSIP's call records and sessions under `/api`: translation only."""
