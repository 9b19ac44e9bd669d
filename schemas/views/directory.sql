-- What is known about tenants: one row an entry, its newest version.
SELECT * EXCEPT (deleted) FROM directory_rows FINAL WHERE deleted = 0
