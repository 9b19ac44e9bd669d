"""The HEP listener: what comes over UDP and TCP, and what reaches Kafka."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from pipeline.embedded.process import free_port
from pipeline.errors import Problem
from pipeline.ingest.hep.key import key, read
from pipeline.ingest.hep.listener import Listener
from pipeline.ingest.hep.senders import parse_senders
from pipeline.ingest.outbox import Outbox
from pipeline.settings import Settings
from pipeline.sources.sip import hep
from pipeline.sources.sip.decoder import decode
from tests.forks import cdr
from tests.ingest.recorder import ROOT, Recorder, consume_records, until
from tests.servers import BrokerServer, KafkaServer
from tests.sip_wire import Talk, Wire


def calls(number: int) -> list[bytes]:
    """Packets of so many calls."""
    wire = Wire()
    for place in range(number):
        wire.invite(0, Talk(f"call-{place}"))
        wire.reply(1, 486, Talk(f"call-{place}"))
    return wire.packets


@asynccontextmanager
async def listening(outbox: Outbox, password: str = "", senders: str = "") -> AsyncIterator[tuple[Listener, int]]:
    """A listener on a free port of this machine."""
    listener = Listener(outbox, password=password, senders=parse_senders(senders))
    port = await listener.listen("127.0.0.1", 0)
    try:
        yield listener, port
    finally:
        listener.close()


def send_udp(port: int, *packets: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in packets:
            sender.sendto(packet, ("127.0.0.1", port))


def test_the_key_is_the_call_id_of_the_event() -> None:
    wire = Wire()
    wire.invite(0, Talk("k2"), headers="X-CID: k1")
    wire.bye(9, Talk("k1"))
    wire.packets.append(hep.encode(msgspec.structs.replace(hep.parse(wire.packets[-1]), correlation="corr")))
    wire.packets.append(hep.encode(msgspec.structs.replace(hep.parse(wire.packets[0]), correlation="corr")))
    keys = []
    for value in wire.packets:
        packet = read(value)
        assert packet is not None
        keys.append(key(packet))
    assert [event.call_id for event in decode(wire.packets).events] == keys
    assert set(keys) == {"k1", "corr"}


async def test_pieces_of_a_message_go_on_as_one() -> None:
    """Apart, the piece without a Call-ID would have another key, and might reach another partition."""
    outbox, recorder = Outbox("sip", 3), Recorder()
    (invite, *_) = calls(1)
    whole = hep.parse(invite)
    pieces = [
        hep.encode(msgspec.structs.replace(whole, payload=whole.payload[begin:end]))
        for begin, end in ((0, 60), (60, 200), (200, len(whole.payload)))
    ]
    lonely = hep.encode(msgspec.structs.replace(whole, payload=whole.payload[:100], src_port=5999))
    others = calls(3)[2:]
    async with listening(outbox) as (listener, port):
        writing = asyncio.create_task(outbox.run(recorder))
        send_udp(port, pieces[0], lonely, *others, *pieces[1:])
        await until(lambda: listener.received == len(others) + 4)
        await until(lambda: len(recorder.written) == len(others) + 1)
    outbox.close()  # what was never completed goes on as it is, at the end at the latest
    await writing
    values = [value for _, _, value in recorder.written]
    assert sorted(values) == sorted([*others, lonely, hep.encode(whole)])


async def test_udp_and_tcp_reach_the_producer() -> None:
    outbox, recorder = Outbox("sip", 3), Recorder()
    packets = calls(20)
    async with listening(outbox) as (listener, port):
        writing = asyncio.create_task(outbox.run(recorder))
        send_udp(port, *packets[:40])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        stream = b"".join(packets[40:])
        for start in range(0, len(stream), 700):  # cut anywhere
            writer.write(stream[start : start + 700])
            await writer.drain()
        await until(lambda: listener.received == len(packets))
        writer.close()
        outbox.close()
        await writing
    assert Counter(value for _, _, value in recorder.written) == Counter(packets)
    partitions: dict[bytes, set[int]] = {}
    for partition, name, _ in recorder.written:
        partitions.setdefault(name, set()).add(partition)
    assert {len(each) for each in partitions.values()} == {1}
    assert outbox.size == 0


async def test_garbage_over_udp_is_passed_on_for_a_dead_letter() -> None:
    outbox, recorder = Outbox("sip", 1), Recorder()
    async with listening(outbox) as (listener, port):
        send_udp(port, b"garbage")
        await until(lambda: listener.received == 1)
        outbox.close()
        await outbox.run(recorder)
    ((_, name, value),) = recorder.written
    assert name.startswith(b"127.0.0.1:")
    assert value == b"garbage"
    assert listener.unreadable == 1


async def test_garbage_over_tcp_closes_the_connection() -> None:
    outbox = Outbox("sip", 1)
    async with listening(outbox) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(calls(1)[0] + b"GET / HTTP/1.1\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()
        assert (listener.received, listener.refused) == (1, 1)


async def test_a_wrong_password_is_refused() -> None:
    outbox = Outbox("sip", 1)
    packet = hep.parse(calls(1)[0])
    good = hep.encode(msgspec.structs.replace(packet, password="right"))
    async with listening(outbox, password="right") as (listener, port):
        send_udp(port, good, hep.encode(msgspec.structs.replace(packet, password="wrong")), hep.encode(packet), b"junk")
        await until(lambda: listener.received == 4)
        assert listener.refused == 3
        recorder = Recorder()
        outbox.close()
        await outbox.run(recorder)
    assert [value for _, _, value in recorder.written] == [good]


async def test_overload_drops_udp_and_counts_it_but_holds_tcp() -> None:
    packets = calls(20)
    outbox = Outbox("sip", 1, limit=10_000)
    async with listening(outbox) as (listener, port):
        send_udp(port, *packets)
        await until(lambda: listener.received == len(packets))
        assert 0 < listener.dropped < len(packets)
        assert outbox.size <= 10_000
        taken = len(packets) - listener.dropped
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(packets))
        recorder = Recorder()
        writing = asyncio.create_task(outbox.run(recorder))
        await until(lambda: len(recorder.written) == taken + len(packets))
        writer.close()
        outbox.close()
        await writing
    assert [value for _, _, value in recorder.written[taken:]] == packets


async def test_writes_are_tried_again_until_kafka_takes_them() -> None:
    outbox, recorder = Outbox("sip", 1), Recorder(faults=2)
    packets = calls(3)
    for packet in packets:
        assert outbox.put(b"k", packet)
    outbox.close()
    await outbox.run(recorder)
    assert {value for _, _, value in recorder.written} == set(packets)


async def test_a_port_in_use_says_what_to_do() -> None:
    async with listening(Outbox("sip", 1)) as (_, port):
        with pytest.raises(Problem, match="choose another with --port"):
            await Listener(Outbox("sip", 1)).listen("127.0.0.1", port)


async def consume(broker: BrokerServer, topic: str, number: int) -> list[tuple[bytes, bytes]]:
    """Keys and values of so many records of a topic."""
    return [(record.key, record.value) for record in await consume_records(broker, topic, number)]


def environment(broker: BrokerServer, topic: str) -> dict[str, str]:
    """The settings of a process that writes to this topic."""
    names = {
        "CDR_KAFKA": broker.bootstrap,
        "CDR_SIP_TOPIC": topic,
        "CDR_EVENTS_TOPIC": topic + "-events",
        "CDR_CDRS_TOPIC": topic + "-cdrs",
        "CDR_DEAD_LETTERS_TOPIC": topic + "-dead",
        "CDR_HEP_METRICS_PORT": "-1",
    }
    return {**os.environ, **names}


async def test_cdr_hep_and_sigterm(kafka: KafkaServer, tmp_path: Path) -> None:
    port = free_port()
    packets = calls(50)
    command = [sys.executable, "-m", "pipeline.cli", "hep", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment(kafka, "hep-sip"), stderr=output
        )
    try:
        await until(lambda: b'"HEP listener"' in (tmp_path / "log").read_bytes())
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(packets))
        await writer.drain()
        writer.close()
        send_udp(port, b"junk")
        await consume(kafka, "hep-sip", len(packets))  # all in, and Kafka was reached
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    got = await consume(kafka, "hep-sip", len(packets) + 1)
    assert Counter(value for _, value in got) == Counter([*packets, b"junk"])
    assert b"HEP listener ends" in (tmp_path / "log").read_bytes()


async def test_cdr_sip_feeds_a_file(kafka: KafkaServer, tmp_path: Path) -> None:
    packets = calls(5)
    path = tmp_path / "capture.hep"
    path.write_bytes(b"".join(packets))
    result = await asyncio.to_thread(cdr, "sip", str(path), env=environment(kafka, "file-sip"))
    assert result.returncode == 0, result.stderr
    assert f"{len(packets)} SIP messages produced." in result.stderr
    got = await consume(kafka, "file-sip", len(packets))
    assert Counter(value for _, value in got) == Counter(packets)
    assert {name for name, _ in got} == {f"call-{place}".encode() for place in range(5)}


@pytest.mark.parametrize(
    ("senders", "taken"), [("192.0.2.10, 198.51.100.0/24", False), ("192.0.2.10,127.0.0.0/8,", True)]
)
async def test_only_the_senders_given_may_send(senders: str, taken: bool) -> None:
    packets = calls(1)
    async with listening(Outbox("sip", 1), senders=senders) as (listener, port):
        send_udp(port, *packets)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: listener.received + listener.refused == len(packets) + (not taken))
        assert listener.received == (len(packets) if taken else 0)
        writer.close()


def test_senders_of_both_families() -> None:
    senders = parse_senders("192.0.2.0/24,2001:db8::/32")
    allowed = ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "2001:db8::1%eth0")
    assert [senders.allows(each) for each in allowed] == [True] * 4
    assert not senders.allows("192.0.3.7") and not senders.allows("2001:db9::1")
    assert parse_senders("").allows("203.0.113.1")
    with pytest.raises(Problem, match="CDR_HEP_SENDERS: 'pbx' is no address and no network"):
        parse_senders("192.0.2.1,pbx")


@pytest.mark.parametrize(
    ("host", "more", "is_open"),
    [
        ("127.0.0.1", {}, False),
        ("::1", {}, False),
        ("localhost", {}, False),
        ("0.0.0.0", {}, True),
        ("pbx.example.com", {}, True),
        ("0.0.0.0", {"hep_password": "s"}, False),
        ("0.0.0.0", {"hep_senders": "192.0.2.1"}, False),
        ("0.0.0.0", {"hep_senders": " , "}, True),
    ],
)
def test_a_listener_that_anyone_can_forge_calls_to_is_open(host: str, more: dict[str, str], is_open: bool) -> None:
    assert Settings(hep_host=host, **more).hep_is_open is is_open  # type: ignore[arg-type]
