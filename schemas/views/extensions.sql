-- Extensions and who owns them.
-- number: Number of the extension
-- name: Display name
-- user: User that owns it
-- email: Mail address of its owner
-- company: Id of the company it belongs to
-- account: Account that pays for its calls; empty for the company's
-- groups: Groups it names itself; a group may name more members
-- devices: Ids of its devices
SELECT
    tenant,
    key AS number,
    JSONExtractString(body, 'name') AS name,
    JSONExtractString(body, 'user') AS user,
    JSONExtractString(body, 'email') AS email,
    JSONExtractString(body, 'company') AS company,
    JSONExtractString(body, 'account') AS account,
    JSONExtract(body, 'groups', 'Array(String)') AS groups,
    arrayMap(device -> JSONExtractString(device, 'id'), JSONExtractArrayRaw(body, 'devices')) AS devices
FROM directory_rows FINAL
WHERE kind = 'extension' AND deleted = 0
