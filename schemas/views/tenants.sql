-- Tenants with their time zone and country.
-- name: Display name
-- domain: SIP domain
-- zone: IANA time zone
-- country: ISO 3166 country of numbers without country code
-- billed_account: Pays what no one else is named for
SELECT
    tenant,
    JSONExtractString(body, 'name') AS name,
    JSONExtractString(body, 'domain') AS domain,
    JSONExtractString(body, 'zone') AS zone,
    JSONExtractString(body, 'country') AS country,
    JSONExtractString(body, 'billed_account') AS billed_account
FROM directory_rows FINAL
WHERE kind = 'tenant' AND deleted = 0
