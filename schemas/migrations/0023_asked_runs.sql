-- Runs that somebody asked for beside a report's schedule wait until a worker takes them.
ALTER TABLE report_run_rows COMMENT COLUMN state 'waiting (asked for, not begun), running, done, failed';
