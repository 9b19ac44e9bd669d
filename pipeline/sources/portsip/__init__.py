"""PortSIP: live call events and CDR records to call events."""
