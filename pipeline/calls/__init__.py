"""The fold: events → legs → call logs → call. Pure: no clock, no I/O."""
