"""Reports: definitions, runs, files, mail."""
