"""FreeSWITCH and Asterisk read over their own interfaces: event socket, manager interface."""
