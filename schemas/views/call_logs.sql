-- One row a target of a call, newest version.
SELECT * EXCEPT (retired) FROM call_log_rows FINAL WHERE retired = 0
