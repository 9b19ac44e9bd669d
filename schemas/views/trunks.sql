-- Trunks and their carriers.
-- trunk: Name of the trunk, as in calls
-- carrier: Who runs it
-- account: Account that pays for calls over it
-- numbers: Numbers shown or answered on it
-- channels: Calls that it carries at once; 0 when not said
SELECT
    tenant,
    key AS trunk,
    JSONExtractString(body, 'carrier') AS carrier,
    JSONExtractString(body, 'account') AS account,
    JSONExtract(body, 'numbers', 'Array(String)') AS numbers,
    JSONExtractUInt(body, 'channels') AS channels
FROM directory_rows FINAL
WHERE kind = 'trunk' AND deleted = 0
