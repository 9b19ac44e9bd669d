"""What people tell us about a tenant: its companies, extensions, trunks, queues, numbers and dial plan."""
