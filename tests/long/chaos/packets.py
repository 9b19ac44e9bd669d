"""A path of IP packets between two network namespaces, which loses, delays, repeats and reorders them.

The kernel's own TCP at both ends does what it does on a bad line: retransmits, waits, closes its window. There is a TUN
device (Linux, Documentation/networking/tuntap.rst) in each namespace; this process reads packets from one and writes
them to the other, since a kernel need not have netem. Nothing of the machine's own network is touched: both namespaces
are made here and go with the block.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import random
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.long.chaos.network import Line

_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_CLONE_NEWNET: Final = 0x40000000
_MTU: Final = 9000  # few packets: each costs this process some 50 µs
_NEAR, _FAR = "10.200.0.1", "10.200.0.2"

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Loss:
    """How the path is. Shares of packets; the delay in seconds."""

    lost: float = 0.0
    repeated: float = 0.0
    late: float = 0.0  # so many come after packets that were sent later
    delay_s: float = 0.0


def missing() -> str:
    """What this machine lacks for it, "" when nothing."""
    if os.geteuid() != 0:
        return "root, to make network namespaces"
    if not Path("/dev/net/tun").exists():
        return "/dev/net/tun"
    done = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "network namespaces (unshare --net)"


class Namespace:
    """A network namespace with one TUN device. `threads` run in it: what they open belongs to it."""

    def __init__(self, name: str, address: str, peer: str) -> None:
        self.name, self.address = name, address
        _ip("netns", "add", name)
        self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.tun, _TUNSETIFF, struct.pack("16sH22x", name[:15].encode(), _IFF_TUN | _IFF_NO_PI))
        _ip("link", "set", name[:15], "netns", name)
        inside = ("-n", name)
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "addr", "add", address, "peer", peer, "dev", name[:15])
        _ip(*inside, "link", "set", name[:15], "up", "mtu", str(_MTU))
        self.threads: Executor = ThreadPoolExecutor(4, f"netns-{name}", self._enter)

    @property
    def command(self) -> tuple[str, ...]:
        """What a command begins with that is to run in it."""
        return "nsenter", f"--net=/run/netns/{self.name}"

    def _enter(self) -> None:
        with Path(f"/run/netns/{self.name}").open() as file:
            if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def close(self) -> None:
        self.threads.shutdown()
        os.close(self.tun)
        _ip("netns", "del", self.name)


class Packets:
    """Carries packets between two namespaces, in a thread of its own."""

    def __init__(self, near: Namespace, far: Namespace, seed: int) -> None:
        self.loss = Loss()
        self.carried = self.dropped = 0
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        for source, target in ((near.tun, far.tun), (far.tun, near.tun)):
            self._loop.add_reader(source, self._take, source, target)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _take(self, source: int, target: int) -> None:
        """All packets that are there."""
        while True:
            try:
                packet = os.read(source, _MTU + 64)
            except OSError:  # none is left
                return
            loss, chance = self.loss, self._chance.random
            self.carried += 1
            if chance() < loss.lost:
                self.dropped += 1
                continue
            for _ in range(2 if chance() < loss.repeated else 1):
                wait = loss.delay_s * (1 + 3 * chance() if chance() < loss.late else 1)
                if wait:
                    self._loop.call_later(wait, _write, target, packet)
                else:
                    _write(target, packet)


def _write(target: int, packet: bytes) -> None:
    with contextlib.suppress(OSError):  # the queue is full, or the namespace is gone: one packet more is lost
        os.write(target, packet)


@dataclass(frozen=True, slots=True)
class BadPath:
    """Two namespaces and what lies between them: a program in `near` reaches `far.address` by `packets` only."""

    near: Namespace
    far: Namespace
    packets: Packets

    def line(self) -> Line:
        """A line that begins at a port of `far.address`; its target is a port of this machine."""
        return Line(0, self.far.threads.submit(socket.create_server, (self.far.address, 0)).result())


@contextmanager
def bad_path(seed: int) -> Iterator[BadPath]:
    """The namespaces and the path between them, until the block ends."""
    mark = os.getpid() % 100_000
    with ExitStack() as closing:
        near = Namespace(f"chaos{mark}n", _NEAR, _FAR)
        closing.callback(near.close)
        far = Namespace(f"chaos{mark}f", _FAR, _NEAR)
        closing.callback(far.close)
        packets = Packets(near, far, seed)
        closing.callback(packets.close)
        yield BadPath(near, far, packets)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
