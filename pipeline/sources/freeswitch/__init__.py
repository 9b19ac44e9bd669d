"""FreeSWITCH: event socket events and JSON CDRs to call events."""
