"""Tables: the client, migrations, rows, inserts and the archive of events."""
