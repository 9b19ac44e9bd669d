-- A month that nothing was written to for six hours is merged into one part. FINAL then has nothing to
-- compare in it, and counting or searching old months costs what it costs in a table without versions.

ALTER TABLE call_rows MODIFY SETTING
    min_age_to_force_merge_seconds = 21600, min_age_to_force_merge_on_partition_only = 1;

ALTER TABLE call_log_rows MODIFY SETTING
    min_age_to_force_merge_seconds = 21600, min_age_to_force_merge_on_partition_only = 1;

-- The calls that ended last are found without reading all: rows lie in the order in which they started.
ALTER TABLE call_rows ADD INDEX IF NOT EXISTS ended_range ended_at TYPE minmax GRANULARITY 1;

ALTER TABLE call_log_rows ADD INDEX IF NOT EXISTS ended_range ended_at TYPE minmax GRANULARITY 1;
