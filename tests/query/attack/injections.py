"""Texts that mean something to SQL."""

from __future__ import annotations

INJECTIONS = [
    "' OR 1=1 --",
    "') OR tenant = 'other' --",
    "' UNION ALL SELECT * FROM call_rows --",
    "\\' OR 1=1 --",
    "{p0:String}",
    "1; DROP TABLE call_rows",
    "%' OR '%'='",
    "*/ OR 1=1 /*",
    "\t\n\\N",
    "$$ OR 1=1 $$",
    "'||(SELECT token_hash FROM api_token_rows)||'",
]
