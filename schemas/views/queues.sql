-- Queues with their service level.
-- number: Number of the queue
-- name: Display name
-- sla_s: A caller who waits longer breaches the service level, seconds
-- members: Its agents
SELECT
    tenant,
    key AS number,
    JSONExtractString(body, 'name') AS name,
    JSONExtract(body, 'sla_s', 'UInt32') AS sla_s,
    JSONExtract(body, 'members', 'Array(String)') AS members
FROM directory_rows FINAL
WHERE kind = 'queue' AND deleted = 0
