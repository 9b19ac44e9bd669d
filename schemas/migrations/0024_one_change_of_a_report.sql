-- Of two changes of one version of a report, made by two services in the same moment, the table takes the first: both
-- name that version as what they are inserted once for.
ALTER TABLE report_rows MODIFY SETTING non_replicated_deduplication_window = 1000;
