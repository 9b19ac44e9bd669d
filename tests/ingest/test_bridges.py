"""`cdr freeswitch` and `cdr asterisk`: from the PBX's own protocol to the outbox, and to Kafka."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline import kafka
from pipeline.calls.fold import fold
from pipeline.calls.grouping import group
from pipeline.embedded.process import free_port
from pipeline.errors import Problem
from pipeline.ingest.bridges import bridge as bridges
from pipeline.ingest.bridges.bridge import Bridge
from pipeline.ingest.bridges.event_socket import SUBSCRIPTION, EventSocket
from pipeline.ingest.bridges.manager import Manager
from pipeline.ingest.bridges.nodes import Node, nodes
from pipeline.ingest.bridges.session import ConnectionLost, LoginRefused, Session, opened
from pipeline.ingest.outbox import Outbox
from pipeline.settings import Settings
from pipeline.sources import canonical
from pipeline.sources.registry import raw_decoder
from tests.ingest.pbx import Asterisk, FreeSwitch, Pbx
from tests.ingest.recorder import ROOT, Recorder, consume_records, until
from tests.servers import KafkaServer
from tests.sources import scenario

TALK = "answered"


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridges, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(bridges, "CONFIRM_S", 0.2)


class Line:
    """A bridge to a node, and what came out of it."""

    def __init__(self, pbx: Pbx, *, limit: int = 64 << 20, password: str = "") -> None:
        self.pbx = pbx
        node = Node("node", "127.0.0.1", pbx.port, "cdr", password or pbx.password)

        async def connect() -> Session:
            if isinstance(pbx, FreeSwitch):
                return await EventSocket.connect(node)
            return await Manager.connect(node, "UTC")

        dialect = "freeswitch" if isinstance(pbx, FreeSwitch) else "asterisk"
        self.decode = raw_decoder(dialect)
        self.raw, self.calls = Outbox("raw", 4, limit=limit), Outbox("calls", 4)
        self.bridge = Bridge("node", connect, self.decode, "default", self.raw, self.calls)
        self.recorder, self.told = Recorder(), Recorder()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Line]:
        tasks = [
            asyncio.create_task(work)
            for work in (self.bridge.run(), self.raw.run(self.recorder), self.calls.run(self.told))
        ]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.pbx.stop()

    async def ready(self) -> None:
        await asyncio.wait_for(self.pbx.subscribed.wait(), 20)
        await until(lambda: not self.bridge.trouble)

    @property
    def values(self) -> list[bytes]:
        return [value for _, _, value in self.recorder.written]

    def events_told(self) -> list[Any]:
        return canonical.decode([value for _, _, value in self.told.written]).events


async def freeswitch(**options: Any) -> FreeSwitch:
    pbx = FreeSwitch(**options)
    await pbx.start()
    return pbx


async def asterisk(**options: Any) -> Asterisk:
    pbx = Asterisk(**options)
    await pbx.start()
    return pbx


def values_of(dialect: str, name: str = TALK) -> list[bytes]:
    found: list[bytes] = scenario.load(dialect, name)["values"]
    return found


def telling(dialect: str) -> int:
    """How many values of the call tell something."""
    decoded = raw_decoder(dialect)(values_of(dialect), tenant="default", now_ms=None)
    return len(set(decoded.origin))


async def test_every_event_of_freeswitch_comes_through_keyed_by_call() -> None:
    async with Line(await freeswitch()).open() as line:
        await line.ready()
        values = values_of("freeswitch")
        await line.pbx.send([b'{"Event-Name": "HEARTBEAT", "Core-UUID": "core-00000001"}'])  # type: ignore[attr-defined]
        await line.pbx.send(values)  # type: ignore[attr-defined]
        await until(lambda: len(line.values) == len(values))
        assert line.values == values  # as they came
        assert len({key for _, key, _ in line.recorder.written}) == 1
        assert len({place for place, _, _ in line.recorder.written}) == 1
        assert len(line.bridge.legs) == 0
        assert line.pbx.asked[:2] == ["auth sesame", SUBSCRIPTION]
        assert "CUSTOM callcenter::info" in SUBSCRIPTION and SUBSCRIPTION.index("CUSTOM") > SUBSCRIPTION.index(
            "CHANNEL"
        )


async def test_a_huge_event_and_one_that_is_broken() -> None:
    async with Line(await freeswitch(piece=65_536)).open() as line:
        await line.ready()
        first = json.loads(values_of("freeswitch")[0])
        huge = json.dumps(first | {"variable_long": "x" * 3_000_000}).encode()
        await line.pbx.send([huge, b'{"Event-Name": "CHANNEL_ANSWER"}', b"no json"])  # type: ignore[attr-defined]
        await until(lambda: len(line.values) == 3)
        assert line.values[0] == huge
        assert [key for _, key, _ in line.recorder.written][1:] == [b"node", b"node"]  # for the dead letters


async def test_a_lost_connection_is_made_again() -> None:
    async with Line(await freeswitch()).open() as line:
        for _ in range(3):
            await line.ready()
            await line.pbx.send(values_of("freeswitch"))  # type: ignore[attr-defined]
            await until(lambda: len(line.values) > 0)
            line.pbx.hang_up()
            await until(lambda: bool(line.bridge.trouble))
        assert line.events_told() == []


async def test_a_bridge_that_ends_as_its_connection_is_made_does_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """`asyncio.wait_for` would take the connection for an answer to the cancellation, before Python 3.12."""
    reached = asyncio.Event()

    async def reach(*_: Any, **__: Any) -> None:
        await reached.wait()

    monkeypatch.setattr(asyncio, "open_connection", reach)
    connecting = asyncio.create_task(opened("127.0.0.1", 1, 1000))
    await asyncio.sleep(0.01)
    reached.set()
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting


async def test_a_wrong_password_is_said_and_tried_again() -> None:
    async with Line(await freeswitch(), password="wrong").open() as line:
        await until(lambda: "CDR_FREESWITCH_PASSWORD" in line.bridge.trouble)
        await until(lambda: line.pbx.asked.count("auth wrong") > 1)
        line.pbx.password = "wrong"
        await line.ready()


async def test_what_is_no_pbx_is_lost() -> None:
    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\n\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for connect in (EventSocket.connect, lambda node: Manager.connect(node, "UTC")):
        with pytest.raises(ConnectionLost, match="is no"):
            await connect(Node("n", "127.0.0.1", port, "u", "p"))
    server.close()
    with pytest.raises(ConnectionLost, match=r"127\.0\.0\.1:1"):
        await EventSocket.connect(Node("n", "127.0.0.1", 1, "", ""))


async def test_calls_that_a_crash_of_freeswitch_took_end() -> None:
    """The core's id is another one: its calls ended when it was last heard of."""
    pbx = await freeswitch()
    async with Line(pbx).open() as line:
        await line.ready()
        values = values_of("freeswitch")[:7]  # answered, and never hung up
        await pbx.send(values)
        await until(lambda: len(line.bridge.legs) == 2)
        await pbx.stop()
        await until(lambda: bool(line.bridge.trouble))
        pbx.core, pbx.uptime_ms = "core-00000002", 100
        await pbx.start()
        await until(lambda: len(line.told.written) == 1)
        (told,) = line.events_told()
        assert (told.reason, told.type) == ("node_restart", "data")
        events = line.decode(line.values, tenant="default", now_ms=None).events
        (together,) = group([*events, told])
        call = fold(together)
        assert (call.state, call.ended_at) == ("closed", told.at)


async def test_calls_that_ended_while_nobody_listened() -> None:
    pbx = await freeswitch()
    async with Line(pbx).open() as line:
        await line.ready()
        gone, stays = values_of("freeswitch")[:7], values_of("freeswitch", "blind_transfer")[:2]
        await pbx.send([*gone, *stays])
        await until(lambda: len(line.values) == len(gone) + len(stays))
        pbx.channels = [leg for leg in line.bridge.legs.known() if any(leg.encode() in value for value in stays)]
        assert pbx.channels
        pbx.hang_up()
        await until(lambda: bool(line.told.written))
        assert [told.call_id for told in line.events_told()] == [
            line.decode(gone, tenant="", now_ms=None).events[0].call_id
        ]
        assert line.bridge.legs.known() == pbx.channels


async def test_a_node_that_answers_no_questions_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.ingest.bridges.event_socket.ASIDE_S", 0.1)
    pbx = await freeswitch()
    pbx.answers_api = False
    async with Line(pbx).open() as line:
        await line.ready()
        await pbx.send(values_of("freeswitch"))
        await until(lambda: len(line.values) == len(values_of("freeswitch")))


async def test_a_full_outbox_stops_reading_and_loses_nothing() -> None:
    pbx = await freeswitch(piece=4096)
    line = Line(pbx, limit=20_000)
    values = values_of("freeswitch") * 20
    reading = asyncio.create_task(line.bridge.run())
    await line.ready()
    sending = asyncio.create_task(pbx.send(values))
    await until(lambda: line.raw.size > 15_000)
    await asyncio.sleep(0.2)
    assert line.raw.size <= 20_000 and line.raw.written == 0
    writing = asyncio.create_task(line.raw.run(line.recorder))
    await until(lambda: len(line.values) == len(values))
    assert line.values == values
    for task in (reading, sending, writing):
        task.cancel()
    await pbx.stop()


async def test_asterisk_rows_come_through_with_the_nodes_name() -> None:
    pbx = await asterisk()
    async with Line(pbx).open() as line:
        await line.ready()
        await pbx.send(values_of("asterisk"))
        await until(lambda: len(line.values) >= telling("asterisk"))
        events = line.decode(line.values, tenant="default", now_ms=None).events
        (together,) = group(events)
        call = fold(together)
        assert (call.status, call.state) == ("answered", "closed")
        assert {event.node for event in events} == {"node"}
        assert pbx.asked[:4] == ["Login", "Events", "CoreStatus", "CoreShowChannels"]


async def test_times_that_asterisk_does_not_tell_or_tells_in_seconds_of_its_zone() -> None:
    pbx = await asterisk()
    channel = {"Event": "Newchannel", "Channel": "PJSIP/1-1", "Uniqueid": "1773133200.1", "Linkedid": "1773133200.1"}
    row = channel | {"Event": "CEL", "EventName": "CHAN_START", "UniqueID": "1773133200.1"}
    live = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    stamped = {"EventTime": "2026-03-10 09:00:00", "Timestamp": "1773133200.250000"}
    async with Line(pbx).open() as line:
        await line.ready()
        rows = [channel, row | {"EventTime": live}, row | {"EventTime": "2026-03-10 09:00:00"}, row | stamped]
        await pbx.send([json.dumps(each).encode() for each in rows])
        await until(lambda: len(line.values) == 4)
        shown = [json.loads(value) for value in line.values]
        assert float(shown[0]["timestamp"]) > 1.7e9  # as it came
        assert float(shown[1]["eventtime"]) > 1.7e9
        assert [each["eventtime"] for each in shown[2:]] == ["2026-03-10 09:00:00", "1773133200.250000"]
        assert {each["node"] for each in shown} == {"node"}


@pytest.mark.parametrize("rights", [True, False])
async def test_calls_that_a_restart_of_asterisk_took_end(rights: bool) -> None:
    pbx = await asterisk()
    pbx.rights = rights
    async with Line(pbx).open() as line:
        await line.ready()
        await pbx.send(values_of("asterisk")[:3])
        await until(lambda: len(line.bridge.legs) > 0)
        await pbx.say(b"Event: Shutdown\r\nShutdown: Cleanly\r\nRestart: True\r\n\r\n")
        await until(lambda: bool(line.bridge.trouble))
        pbx.booted, pbx.uptime_ms = "2026-03-10 09:00:30", 1000
        await until(lambda: bool(line.told.written))
        assert {told.reason for told in line.events_told()} == {"node_restart"}


async def test_a_manager_that_refuses() -> None:
    pbx = await asterisk()
    with pytest.raises(LoginRefused, match="CDR_ASTERISK_PASSWORD"):
        await Manager.connect(Node("n", "127.0.0.1", pbx.port, "cdr", "wrong"), "UTC")
    await pbx.stop()


def test_nodes_of_a_setting() -> None:
    found = nodes(
        "10.0.0.1, b=secret@pbx.example:8022,u:p@[::1]:9", port=8021, user="cdr", password="ClueCon", setting="CDR_X"
    )
    assert [(each.name, each.host, each.port, each.user, each.password) for each in found] == [
        ("10.0.0.1", "10.0.0.1", 8021, "cdr", "ClueCon"),
        ("b", "pbx.example", 8022, "cdr", "secret"),
        ("::1", "::1", 9, "u", "p"),
    ]
    assert "secret" not in repr(found)
    for bad in ("", "a b", "host:99999", "=x", "a,a"):
        with pytest.raises(Problem, match="CDR_X"):
            nodes(bad, port=1, user="", password="", setting="CDR_X")


@pytest.mark.embedded
@pytest.mark.parametrize("dialect", ["freeswitch", "asterisk"])
async def test_the_command_from_the_pbx_to_kafka(dialect: str, broker: KafkaServer, tmp_path: Path) -> None:
    pbx = await freeswitch() if dialect == "freeswitch" else await asterisk()
    names = {f"CDR_{source.upper()}_TOPIC": f"bridge-{dialect}-{source}" for source in kafka.raw_topics(Settings())}
    names |= {f"CDR_{what}_TOPIC": f"bridge-{dialect}-{what.lower()}" for what in ("EVENTS", "CDRS", "DEAD_LETTERS")}
    port = free_port()
    names |= {
        "CDR_KAFKA": broker.bootstrap,
        f"CDR_{dialect.upper()}_HOST": f"one=127.0.0.1:{pbx.port}",
        f"CDR_{dialect.upper()}_PASSWORD": pbx.password,
        f"CDR_{dialect.upper()}_METRICS_PORT": str(port),
    }
    with (tmp_path / "log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pipeline.cli", dialect, cwd=ROOT, env=os.environ | names, stderr=output
        )
    values = values_of(dialect)
    try:
        await asyncio.wait_for(pbx.subscribed.wait(), 30)
        await asyncio.sleep(0.5)
        await pbx.send(values)
        got = await consume_records(broker, f"bridge-{dialect}-{dialect}", telling(dialect))
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0, (tmp_path / "log").read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await pbx.stop()
    assert len(Counter(record.key for record in got)) == 1
    assert {record.partition for record in got} == {kafka.partition_of(got[0].key, Settings().partitions)}
    assert (
        b"bridge ends" in (tmp_path / "log").read_bytes()
        and pbx.password.encode() not in (tmp_path / "log").read_bytes()
    )
