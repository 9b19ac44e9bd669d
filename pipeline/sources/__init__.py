"""One module a dialect: raw bytes → call events. Pure: no clock, no I/O."""
