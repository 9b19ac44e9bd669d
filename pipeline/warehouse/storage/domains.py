"""Whose a domain is. Logins are told by domains: one belongs to one tenant."""

from __future__ import annotations

from typing import Any

import orjson


def domain_owner(client: Any, domain: str, *, but: str) -> str:
    """Another tenant than `but` that a login with this domain may mean: it is called so, its directory has the domain,
    or a user of it has; "" when there is none. A domain belongs to one tenant."""
    if not domain:
        return ""
    answer = client.raw_query(
        "SELECT tenant FROM (SELECT tenant FROM user_rows FINAL"
        " WHERE lowerUTF8(domain) = lowerUTF8({domain:String}) OR tenant = {domain:String}"
        " UNION ALL SELECT tenant FROM api_token_rows FINAL WHERE tenant = {domain:String}"
        " UNION ALL SELECT tenant FROM directory_rows FINAL WHERE kind = 'tenant' AND deleted = 0"
        " AND (lowerUTF8(JSONExtractString(body, 'domain')) = lowerUTF8({domain:String}) OR tenant = {domain:String}))"
        " WHERE tenant != {but:String} ORDER BY tenant LIMIT 1",
        parameters={"domain": domain, "but": but},
        fmt="JSONEachRow",
    )
    return str(orjson.loads(answer)["tenant"]) if answer.strip() else ""
