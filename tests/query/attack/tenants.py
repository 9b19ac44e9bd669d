"""Two tenants in one database: one that asks, and one of which nothing may be seen.

Everything that the foreign one has bears a mark. A `Key` is what a neighbour might know or guess of it, with a twin of
the same form that nobody has: the answers to both must be the same.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import msgspec
import orjson

from pipeline.directory.model import Company, Did, Entry, Extension, ExtensionGroup, Queue, RingGroup, Tenant, Trunk
from pipeline.files import files_of
from pipeline.reports.blobs import blob_token
from pipeline.reports.jobs import report_reader
from pipeline.reports.runs import Runner
from pipeline.reports.store import run_id
from pipeline.settings import Settings
from pipeline.warehouse.reference.directories import save
from schemas.call import Call, snowflake
from tests.query.stored_calls import example_calls, write

OWN, FOREIGN = "acme", "zorblax"
# Never said in a request: wherever one shows, something leaked.
SECRETS: Final = ("zorbsecret", "zorbdomain.example.net", "zorbname", "ZorbCo")
_LETTERS: Final = str.maketrans("zorb", "qork")
_CALLS_BODY: Final = {"from": "2024-08-01T00:00:00Z"}


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of the foreign tenant, and a twin that nobody has."""

    name: str
    value: str
    twin: str


def calls_of_foreign() -> list[Call]:
    """Calls that bear marks in every text."""
    made = []
    for place, call in enumerate(example_calls(FOREIGN)):
        number = f"+8830001{place}"
        logs = [
            msgspec.structs.replace(
                log,
                id=snowflake(log.started_at, 777_000 + place * 10 + position),
                call_id=f"zorb-call-{place}",
                number="8831" + str(place),
                name="zorbname",
                leg_id=f"zorb-leg-{place}",
                caller_number=number,
                caller_name="zorbname",
                caller_domain="zorbdomain.example.net",
                user_data="zorbsecret",
                trunk="zorb-trunk",
                did="+88399",
            )
            for position, log in enumerate(call.logs)
        ]
        made.append(
            msgspec.structs.replace(
                call,
                id=snowflake(call.started_at, 555_000 + place),
                call_id=f"zorb-call-{place}",
                caller_number=number,
                caller_name="zorbname",
                caller_domain="zorbdomain.example.net",
                caller_extension="8831" + str(place),
                callee_number="8832" + str(place),
                callee_name="zorbname",
                callee_extension="8832" + str(place),
                destination="8832" + str(place),
                did="+88399",
                trunk="zorb-trunk",
                user_data="zorbsecret",
                billed_account="zorb-account",
                merged_call_ids=["zorb-merged"],
                logs=[
                    msgspec.structs.replace(log, session_id=snowflake(call.started_at, 555_000 + place)) for log in logs
                ],
            )
        )
    return made


def directory_of_foreign() -> dict[tuple[str, str], Entry | None]:
    """Something of each kind."""
    return {
        ("tenant", FOREIGN): Tenant(FOREIGN, name="ZorbCo", domain="zorbdomain.example.net", zone="UTC"),
        ("company", "zorb-company"): Company("zorb-company", name="ZorbCo", account="zorb-account"),
        ("extension", "88310"): Extension("88310", name="zorbname", email="z@zorbdomain.example.net"),
        ("group", "zorb-group"): ExtensionGroup("zorb-group", members=("88310",)),
        ("trunk", "zorb-trunk"): Trunk("zorb-trunk", account="zorb-account"),
        ("queue", "8839"): Queue("8839", name="zorbname", sla_s=30, members=("88310",)),
        ("ring_group", "8838"): RingGroup("8838", name="zorbname", members=("88310",)),
        ("did", "+88399"): Did("+88399", target="8839"),
    }


def fill(client: Any, calls: list[Call]) -> None:
    """Write calls with an event each."""
    write(client, calls)
    columns = ["tenant", "call_id", "event_id", "at", "type", "raw"]
    rows = [
        [call.tenant, call.call_id, f"{call.call_id}-e", call.started_at / 1000, "created", _raw(call)]
        for call in calls
    ]
    body = b"\n".join(orjson.dumps(row) for row in rows)
    client.raw_insert("event_rows", columns, body, fmt="JSONCompactEachRow")


def _raw(call: Call) -> str:
    return orjson.dumps(
        {
            "event_id": f"{call.call_id}-e",
            "call_id": call.call_id,
            "tenant": call.tenant,
            "type": "created",
            "at": "2024-08-20T12:00:00Z",
            "leg_id": "a",
            "from": {"number": call.caller_number, "name": call.caller_name},
        }
    ).decode()


def fill_directory(client: Any) -> None:
    save(client, FOREIGN, directory_of_foreign(), "tests")


async def things_of(
    client: httpx.AsyncClient, settings: Settings, tenant: str, number: str, mark: str
) -> dict[str, str]:
    """Make one of everything that the service keeps for a tenant, and say by which ids."""
    made: dict[str, str] = {}
    hook = (await client.post("/v1/webhooks", json={"url": f"https://{mark}.example.net/hook"})).json()
    made |= {"webhook": hook["id"], "webhook_secret": hook["secret"]}
    made["message"] = (await client.post(f"/v1/webhooks/{hook['id']}/test")).json()["id"]
    export = await client.post("/v1/exports", json={"of": "calls", "format": "csv", **_CALLS_BODY})
    assert export.status_code == 202, export.text
    made["export"] = export.json()["id"]
    report = await client.post(
        "/api/call_reports",
        json={
            "name": f"{mark} report",
            "type": "QUEUE_PERFORMANCE",
            "email": "",
            "format": "CSV",
            "range": "CUSTOM",
            "started_at": "2024-08-19T00:00:00Z",
            "ended_at": "2024-08-25T23:59:59Z",
            "filter": {"call_queues": [number]},
        },
    )
    assert report.status_code == 201, report.text
    made["report"] = report.json()["id"]
    schedule = await client.post(
        "/v1/reports/schedules",
        json={"name": f"{mark} schedule", "type": "traffic", "range": "LAST_WEEK", "cron_expr": "0 6 * * 1"},
    )
    made["schedule"] = schedule.json()["id"]
    reader = report_reader(settings)
    try:
        runner = Runner(settings, reader, files_of(settings))
        found = await runner.store.definition(tenant, int(made["report"]))
        assert found is not None
        due = found[0].requested_at
        await runner.perform(tenant, int(made["report"]), due, lambda: True)
        made["run"] = str(run_id(int(made["report"]), due))
    finally:
        reader.close()
    listed = (await client.get(f"/api/completed_call_reports/{made['run']}")).json()
    made["blob"] = listed["file_url"].rpartition("/")[2]
    made["sync"] = (await client.post("/api/user/cdrs/sync_tokens")).json()["token"]
    made["cursor"] = (await client.get("/v1/calls?limit=1")).json()["next_cursor"]
    made["log_cursor"] = (await client.get("/v1/call-logs?limit=1")).json()["next_cursor"]
    made["etag"] = (await client.get("/v1/directory/tenant")).headers.get("etag", '"1"')
    return made


def keys_of(calls: list[Call], things: Mapping[str, str]) -> list[Key]:
    """Everything that a neighbour may try."""
    first, second = calls[0], calls[3]
    named = {
        "tenant": FOREIGN,
        "call_id": first.call_id,
        "leg_id": first.logs[0].leg_id,
        "caller": first.caller_number,
        "caller_bare": first.caller_number.removeprefix("+"),
        "callee": first.callee_number,
        "extension": first.caller_extension,
        "log_number": second.logs[0].number,
        "did": "+88399",
        "trunk": "zorb-trunk",
        "account": "zorb-account",
        "merged": "zorb-merged",
        "company": "zorb-company",
        "group": "zorb-group",
        "queue": "8839",
        "ring_group": "8838",
    }
    numbers = {
        "id": first.id,
        "second_id": second.id,
        "log_id": first.logs[0].id,
        "report": int(things["report"]),
        "run": int(things["run"]),
        "schedule": int(things["schedule"]),
    }
    keys = [Key(name, value, _twin(value)) for name, value in named.items()]
    keys += [Key(name, str(value), str(value ^ 0x155)) for name, value in numbers.items()]
    keys += [
        Key(name, things[name], things[name][:-6] + _turned(things[name][-6:]))
        for name in ("webhook", "message", "export", "sync")
    ]
    keys += [Key(name, things[name], things[name]) for name in ("cursor", "log_cursor", "etag")]
    forged = blob_token(int(things["run"]), "00" * 32, 4_000_000_000)
    keys.append(Key("forged_blob", forged, blob_token(int(things["run"]) ^ 0x155, "00" * 32, 4_000_000_000)))
    raw = base64.urlsafe_b64decode(things["blob"])
    longer = base64.urlsafe_b64encode(raw[:8] + struct.pack(">I", 4_200_000_000) + raw[12:]).decode()
    keys.append(Key("longer_blob", longer, blob_token(int(things["run"]) ^ 0x155, "11" * 32, 4_200_000_000)))
    return keys


def _twin(value: str) -> str:
    return value.translate(_LETTERS) if not value.lstrip("+").isdigit() else value.replace("883", "774")


def _turned(text: str) -> str:
    """Another text of the same form: hexadecimal digits and letters turned round."""
    table = str.maketrans("0123456789abcdefABCDEF", "1032547698badcfeBADCFE")
    turned = text.translate(table)
    return turned if turned != text else text[::-1] + "A"
