-- Reports and webhooks are made for those who see phone numbers in full, or masked: it is kept with them.

ALTER TABLE report_rows
    ADD COLUMN IF NOT EXISTS numbers LowCardinality(String) DEFAULT '' COMMENT 'How phone numbers are shown: clear, masked; empty: as the setting CDR_MASK_NUMBERS says';

ALTER TABLE report_run_rows
    ADD COLUMN IF NOT EXISTS masked UInt8 DEFAULT 0 COMMENT '1: phone numbers in its file are masked';

ALTER TABLE webhook_rows
    ADD COLUMN IF NOT EXISTS numbers LowCardinality(String) DEFAULT '' COMMENT 'How phone numbers are shown: clear, masked; empty: as the setting CDR_MASK_NUMBERS says';

-- Older versions of a webhook hold its secret: they are merged away within the hour.
ALTER TABLE webhook_rows MODIFY SETTING
    min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1;
