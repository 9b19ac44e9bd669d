-- One row a call, its newest version.
SELECT * EXCEPT (retired) FROM call_rows FINAL WHERE retired = 0
