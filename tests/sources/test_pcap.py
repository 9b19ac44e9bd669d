"""Capture files, written here frame by frame."""

from __future__ import annotations

import random
import socket
import struct
from pathlib import Path

import pytest

from pipeline.calls.fold import fold
from pipeline.errors import Problem
from pipeline.ingest.files.capture import packets
from pipeline.sources.sip import hep
from pipeline.sources.sip.decoder import decode
from pipeline.sources.sip.pcap import records
from tests.sip_wire import T0, Talk, Wire

BYE = b"BYE sip:b SIP/2.0\r\nCall-ID: x\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"
INFO = b"INFO sip:b SIP/2.0\r\nCall-ID: x\r\nCSeq: 3 INFO\r\nl : 5\r\n\r\nhello"


def udp(payload: bytes, src_port: int = 5060, dst_port: int = 5062) -> bytes:
    """A UDP datagram."""
    return struct.pack(">HHHH", src_port, dst_port, 8 + len(payload), 0) + payload


def tcp(payload: bytes, sequence: int, flags: int = 0x18) -> bytes:
    """A TCP segment."""
    return struct.pack(">HHIIBBHHH", 5060, 5062, sequence & 0xFFFFFFFF, 0, 0x50, flags, 0, 0, 0) + payload


def ipv4(payload: bytes, protocol: int = 17, fragment: int = 0, ident: int = 7) -> bytes:
    """An IPv4 packet from 10.0.0.1 to 10.0.0.2."""
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ident, fragment, 64, protocol, 0)
    return head + socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2") + payload


def ipv6(payload: bytes, following: int = 17) -> bytes:
    """An IPv6 packet."""
    ends = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + socket.inet_pton(socket.AF_INET6, "2001:db8::2")
    return struct.pack(">IHBB", 0x60000000, len(payload), following, 64) + ends + payload


def ethernet(packet: bytes, tags: int = 0) -> bytes:
    """An Ethernet frame."""
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return b"\0" * 12 + b"\x81\x00\x00\x05" * tags + kind + packet


def pcap(frames: list[bytes], link: int = 1, order: str = "<", nano: bool = False) -> bytes:
    """A pcap file; frame n is n ms after T0."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262_144, link)
    for place, frame in enumerate(frames):
        fraction = place * 1000 * (1000 if nano else 1)
        data += struct.pack(order + "IIII", T0 // 1000, fraction, len(frame), len(frame)) + frame
    return data


def pcapng(frames: list[bytes], link: int = 1) -> bytes:
    """A pcapng file with nanosecond stamps and an interface offset."""

    def block(kind: int, body: bytes) -> bytes:
        body += b"\0" * (-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    data = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack("<HHB3x", 9, 1, 9) + struct.pack("<HHq", 14, 8, 1000) + struct.pack("<HH", 0, 0)
    data += block(1, struct.pack("<HHI", link, 0, 0) + options)
    for place, frame in enumerate(frames):
        stamp = (T0 - 1_000_000 + place) * 1_000_000
        head = struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), len(frame))
        data += block(6, head + frame)
    return data


def payloads(data: bytes) -> list[bytes]:
    """The SIP messages that were found."""
    return [hep.parse(record).payload for record in records(data)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_pcap_of_both_orders_and_resolutions(order: str, nano: bool) -> None:
    found = [hep.parse(record) for record in records(pcap([ethernet(ipv4(udp(BYE)))] * 2, order=order, nano=nano))]
    assert [packet.at for packet in found] == [T0, T0 + 1]
    assert (found[0].src, found[0].src_port, found[0].dst, found[0].dst_port) == ("10.0.0.1", 5060, "10.0.0.2", 5062)


def test_pcapng() -> None:
    found = [hep.parse(record) for record in records(pcapng([ethernet(ipv4(udp(BYE)))] * 2))]
    assert [(packet.at, packet.payload) for packet in found] == [(T0, BYE), (T0 + 1, BYE)]


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, ethernet(ipv4(udp(BYE)))),
        (1, ethernet(ipv4(udp(BYE)), tags=2)),
        (1, ethernet(ipv6(udp(BYE)))),
        (1, ethernet(ipv6(b"\x11\x00" + b"\0" * 6 + udp(BYE), following=0))),
        (101, ipv4(udp(BYE))),
        (228, ipv4(udp(BYE))),
        (229, ipv6(udp(BYE))),
        (0, b"\x02\0\0\0" + ipv4(udp(BYE))),
        (113, b"\0" * 14 + b"\x08\x00" + ipv4(udp(BYE))),
        (276, b"\x08\x00" + b"\0" * 18 + ipv4(udp(BYE))),
    ],
)
def test_link_layers(link: int, frame: bytes) -> None:
    assert payloads(pcap([frame], link)) == [BYE]


def test_other_traffic_is_passed_over() -> None:
    frames = [
        ethernet(ipv4(udp(b"\x80rtp" * 40))),
        b"",
        b"\0" * 60,
        ethernet(ipv4(b"\0" * 30, protocol=1)),
        ethernet(b"\x45"),
    ]
    assert payloads(pcap([*frames, ethernet(ipv4(udp(BYE)))])) == [BYE]


def test_ip_fragments_in_any_order() -> None:
    whole = udp(BYE)
    parts = [ipv4(whole[:32], fragment=0x2000), ipv4(whole[32:48], fragment=0x2004), ipv4(whole[48:], fragment=6)]
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        assert payloads(pcap([ethernet(parts[place]) for place in order])) == [BYE]


def test_tcp_segments_out_of_order_repeated_and_cut_anywhere() -> None:
    dice = random.Random(5)
    stream = (BYE + INFO) * 3
    for start in (100, 0xFFFFFFFF - 60):
        pieces = []
        offset = 0
        while offset < len(stream):
            size = dice.randint(1, 50)
            pieces.append((start + 1 + offset, stream[offset : offset + size]))
            offset += size
        pieces += dice.sample(pieces, 3)
        dice.shuffle(pieces)
        frames = [ethernet(ipv4(tcp(b"", start, flags=2), protocol=6))]
        frames += [ethernet(ipv4(tcp(data, sequence), protocol=6)) for sequence, data in pieces]
        assert payloads(pcap(frames)) == [BYE, INFO] * 3


def test_hep_on_the_wire_is_passed_on() -> None:
    wire = Wire()
    wire.invite(0, Talk("k1"))
    frames = [ethernet(ipv4(udp(packet, dst_port=9060))) for packet in wire.packets]
    assert list(records(pcap(frames))) == wire.packets


def test_files_of_hep_and_of_json(tmp_path: Path) -> None:
    wire = Wire()
    wire.invite(0, Talk("k1"))
    path = tmp_path / "packets.hep"
    path.write_bytes(b"".join(wire.packets))
    assert list(packets(str(path))) == wire.packets
    assert list(records(b'{"payload": 1}\n\n{"payload": 2}\n')) == [b'{"payload": 1}', b'{"payload": 2}']
    assert list(records(b"")) == []


def test_a_capture_folds_into_a_call() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk)
    wire.reply(1, 486, talk)
    frames = [ethernet(ipv4(udp(hep.parse(packet).payload))) for packet in wire.packets]
    call = fold(decode(list(records(pcap(frames)))).events)
    assert (call.status, call.sip_status) == ("busy", 486)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GIF89a", "neither pcap, pcapng, HEP version 3 nor HEP as JSON"),
        (b"\xd4\xc3\xb2\xa1", "ends inside its header"),
        (pcap([])[:24] + b"\xff" * 16, "claims 4294967295 bytes"),
        (b"HEP3\x00\x06HEP2", "byte 6 is no beginning"),
        (pcapng([])[:28] + b"\x01\0\0\0\x05\0\0\0" + b"\0" * 8, "has length 5"),
    ],
)
def test_damaged_files_say_where(data: bytes, words: str) -> None:
    with pytest.raises(Problem, match=words):
        list(records(data))


def test_missing_file() -> None:
    with pytest.raises(Problem, match="cannot be read: No such file"):
        list(packets("/nonexistent.pcap"))


def test_mutated_captures_give_packets_or_a_problem() -> None:
    dice = random.Random(11)
    frames = [ethernet(ipv4(udp(BYE))), ethernet(ipv4(tcp(BYE, 1), protocol=6)), ethernet(ipv6(udp(INFO)))]
    for data in (pcap(frames), pcapng(frames)):
        for _ in range(3000):
            broken = bytearray(data)
            for _ in range(dice.randint(1, 5)):
                broken[dice.randrange(4, len(broken))] = dice.randrange(256)
            try:
                decode(list(records(bytes(broken))))
            except Problem as problem:
                assert str(problem)
