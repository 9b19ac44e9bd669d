"""Where a number still stands when its calls are erased: in what people configured and asked for."""

from __future__ import annotations

import re
from typing import Final

from clickhouse_connect.driver.client import Client

from pipeline.warehouse.privacy.erasure import forms_of

# Table → what the person who erases can do about it. Not erased with the calls: it is somebody's work.
ELSEWHERE: Final = {
    "directory_rows": "the directory: `cdr directory`",
    "user_rows": "a user's extension: `cdr user`",
    "issued_token_rows": "sign-ins of that extension: gone when they expire",
    "sync_token_rows": "sign-ins of that extension: gone when they expire",
    "api_token_rows": "a token of that extension: `cdr token revoke`",
    "report_rows": "reports that ask for the number: delete or change them",
    "report_run_rows": "reports named after the number: delete them",
    "export_rows": "exports that asked for the number: their rows go with the exports' time",
    "saved_view_rows": "a saved view that asks for the number: delete it where it is shown, in the web interface",
    "deck_rows": "an account of rates: `cdr rates`",
    "webhook_rows": "the URL of a webhook: `cdr webhook`",
}


def remains(client: Client, number: str, tenant: str = "") -> dict[str, int]:
    """Table → rows of a tenant ("" for all) that hold the number in any column and in any way it is written."""
    forms = "|".join(re.escape(form) for form in forms_of(number))
    pattern = f"(?:^|[^0-9])(?:{forms})(?:[^0-9]|$)"
    found: dict[str, int] = {}
    for table in ELSEWHERE:
        client.command(f"OPTIMIZE TABLE {table} FINAL")  # earlier versions of a row go; the tables are small
        rows = client.query(
            f"SELECT count() FROM {table} WHERE ({{tenant:String}} = '' OR tenant = {{tenant:String}})"
            " AND match(toString(tuple(*)), {pattern:String})",
            parameters={"tenant": tenant, "pattern": pattern},
        ).result_rows
        if rows[0][0]:
            found[table] = int(rows[0][0])
    return found
