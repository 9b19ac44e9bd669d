"""A telephone exchange of real parts: Kamailio between SIPp caller and SIPp callees, mirrored over HEP to a socket."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.calls.fold import fold
from pipeline.calls.grouping import group
from pipeline.sources.kamailio import decoder
from pipeline.sources.sip.decoder import decode
from schemas.call import Call
from schemas.event import Event
from tests.sip.accounting import NEEDED, Intake, page

HOST = "127.0.0.1"
SECRET = "sesame"
_MODULES = [
    *Path("/usr/lib").glob("*/kamailio/modules"),
    Path("/usr/lib64/kamailio/modules"),
    Path("/usr/local/lib64/kamailio/modules"),
]

_CONFIG = """
debug=2
log_stderror=yes
children=4
auto_aliases=no
listen=udp:{host}:{port}
mpath="{modules}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "xlog.so"
loadmodule "corex.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
loadmodule "uac_redirect.so"
loadmodule "siptrace.so"
{page.modules}
modparam("tm", "failure_reply_mode", 3)
modparam("tm", "fr_timer", 5000)
modparam("tm", "fr_inv_timer", 30000)
modparam("rr", "append_fromtag", 1)
modparam("acc", "log_level", -1)
modparam("acc", "log_flag", 4)
modparam("acc", "time_mode", 1)
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_mode", 1)
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", 3)
modparam("siptrace", "hep_capture_id", 2001)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "duplicate_uri", "sip:{host}:{hep}")

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) {{ setflag(4); {flags} t_relay(); }}
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) {{
            if (is_method("BYE|INVITE")) setflag(4);
            {flags}
            t_relay();
            exit;
        }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not here");
        exit;
    }}
    t_check_trans();
    if (!is_method("INVITE")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
    if ($fU == "guarded") {{
        if (!pv_proxy_authenticate("exchange", "{secret}", "0")) {{ proxy_challenge("exchange", "0"); exit; }}
        consume_credentials();
    }}
    record_route();
    setflag(4);
    {flags}
    if ($rU == "1004") t_set_fr(1500, 1000);
    if ($rU == "1006") t_on_failure("REDIRECTED");
    if ($rU == "1007") t_on_failure("NEXT_CARRIER");
    if ($rU == "6000") {{
        $ru = "sip:1002@{host}:{first}";
        append_branch("sip:1003@{host}:{second}");
    }} else if ($rU == "1003") {{
        $du = "sip:{host}:{second}";
    }} else {{
        $du = "sip:{host}:{first}";
    }}
    t_relay();
}}

failure_route[REDIRECTED] {{
    if (t_check_status("30[12]")) {{ get_redirects("*:*"); t_relay(); }}
}}

failure_route[NEXT_CARRIER] {{
    if (t_check_status("5[0-9][0-9]|408")) {{ $du = "sip:{host}:{second}"; t_relay(); }}
}}

{page.routes}
"""

_ACC = re.compile(r"ACC: (?P<what>[a-z ]+): timestamp=(?P<seconds>\d+);(?P<rest>.*)")


@dataclass(frozen=True)
class Accounted:
    """One row of Kamailio's own accounting."""

    what: str
    at: float
    method: str
    call_id: str
    code: int


@dataclass
class Run:
    """What one run of SIPp left behind."""

    packets: list[bytes]
    accounted: list[Accounted]
    reports: dict[str, str] = field(default_factory=dict)  # who → SIPp's own words when something was unexpected
    posted: list[bytes] = field(default_factory=list)  # by Kamailio, as its page has it: rows of acc, dialog events

    @property
    def calls(self) -> list[Call]:
        """The calls that the capture gives, in order of their start."""
        return folded(self._captured())

    @property
    def by_acc(self) -> list[Call]:
        """The calls that the rows of acc_json give."""
        return folded(_posted([value for value in self.posted if b'"event"' not in value]))

    @property
    def by_dialogs(self) -> list[Call]:
        """The calls that the dialog events give."""
        return folded(_posted([value for value in self.posted if b'"event"' in value]))

    @property
    def by_all(self) -> list[Call]:
        """The calls of all three together."""
        return folded([*self._captured(), *_posted(self.posted)])

    def _captured(self) -> list[Event]:
        decoded = decode(self.packets)
        assert not decoded.rejected, decoded.rejected
        return decoded.events

    @property
    def call(self) -> Call:
        """The only call."""
        (call,) = self.calls
        return call

    def final(self, call: Call, method: str = "INVITE") -> Accounted:
        """Kamailio's last word on a call's INVITE that began it, or on its BYE."""
        rows = [row for row in self.accounted if row.call_id == call.call_id and row.method == method]
        return next((row for row in rows if row.code < 300), rows[-1])


def folded(events: Iterable[Event]) -> list[Call]:
    """The calls of these events, in order of their start."""
    return sorted((fold(call) for call in group(events)), key=lambda call: call.started_at)


def _posted(values: list[bytes]) -> list[Event]:
    decoded = decoder.decode(values)
    assert not decoded.rejected, decoded.rejected
    return decoded.events


def missing() -> str:
    """What of the real parts is not installed; "" when all is there."""
    lacking = [name for name in ("sipp", "kamailio") if shutil.which(name) is None]
    if not lacking:
        folder = next((folder for folder in _MODULES if folder.is_dir()), Path("/"))
        lacking = [f"kamailio's module {name}" for name in NEEDED if not (folder / name).is_file()]
    return " and ".join(lacking)


def free_ports(number: int) -> list[int]:
    """Ports that are free for UDP."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(number)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Sink:
    """A UDP socket that keeps every packet."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
        self.socket.bind((HOST, 0))
        self.socket.settimeout(0.2)
        self.port: int = self.socket.getsockname()[1]
        self.packets: list[bytes] = []
        self.last = time.monotonic()
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._closed:
            try:
                self.packets.append(self.socket.recv(65_535))
                self.last = time.monotonic()
            except TimeoutError:
                continue

    def settle(self, silence: float = 0.6) -> list[bytes]:
        """Wait until nothing has come for a while; return and forget what came."""
        until = time.monotonic() + 20
        while time.monotonic() - self.last < silence and time.monotonic() < until:
            time.sleep(0.05)
        packets, self.packets = self.packets, []
        return packets

    def close(self) -> None:
        self._closed = True
        self._thread.join()
        self.socket.close()


class Exchange:
    """Kamailio, running, with its capture sink and the ports of two callees."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sink = Sink()
        self.intake = Intake(HOST)
        self.port, self.first, self.second, self.caller = free_ports(4)
        self.address = f"{HOST}:{self.port}"
        modules = next(each for each in _MODULES if each.is_dir())
        told = page(self.intake.address)
        config = folder / "kamailio.cfg"
        config.write_text(
            _CONFIG.format(
                host=HOST,
                port=self.port,
                hep=self.sink.port,
                modules=modules,
                first=self.first,
                second=self.second,
                secret=SECRET,
                page=told,
                flags=told.flat(),
            )
        )
        self.log = folder / "kamailio.log"
        self._output = self.log.open("wb")
        command = ["kamailio", "-DD", "-E", "-f", str(config), "-Y", str(folder), "-m", "64", "-M", "8"]
        self._process = subprocess.Popen(command, stdout=self._output, stderr=self._output, start_new_session=True)
        self._wait_ready()

    def _wait_ready(self) -> None:
        """Until Kamailio answers an OPTIONS, whatever it answers."""
        probe = (
            f"OPTIONS sip:{HOST}:{self.port} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{{port}};branch=z9hG4bKprobe\r\n"
            f"From: <sip:probe@{HOST}>;tag=p\r\nTo: <sip:probe@{HOST}>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n"
            "Max-Forwards: 9\r\nContent-Length: 0\r\n\r\n"
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind((HOST, 0))
            client.settimeout(0.2)
            for _ in range(100):
                if self._process.poll() is not None:
                    break
                client.sendto(probe.format(port=client.getsockname()[1]).encode(), (HOST, self.port))
                try:
                    client.recv(65_535)
                    return
                except TimeoutError:
                    continue
        self.close()
        raise AssertionError(f"Kamailio does not start:\n{self.log.read_text(errors='replace')[-3000:]}")

    def run(
        self,
        caller: str,
        *callees: str,
        to: str = "1002",
        calls: int = 1,
        timeout: int = 30,
        options: tuple[str, ...] = (),
    ) -> Run:
        """Let SIPp play these scenarios, callees first, until the caller has made its calls."""
        self.sink.settle(0.1)
        self.intake.settle(0.1)
        before = self.log.stat().st_size
        folder = self.folder / f"run-{time.monotonic_ns()}"
        folder.mkdir()
        waiting = [
            self._sipp(folder, f"callee{place}", scenario, port, calls, timeout)
            for place, (scenario, port) in enumerate(zip(callees, (self.first, self.second), strict=False))
        ]
        for port in (self.first, self.second)[: len(callees)]:
            _wait_bound(port)
        extra = ("-s", to, "-r", str(calls), "-l", str(calls), *options, f"{HOST}:{self.port}")
        active = self._sipp(folder, "caller", caller, self.caller, calls, timeout, extra)
        try:
            codes = {"caller": active.wait(timeout + 10)}
            for place, process in enumerate(waiting):
                codes[f"callee{place}"] = process.wait(timeout + 10)
        finally:
            for process in (active, *waiting):
                if process.poll() is None:
                    process.kill()
                    process.wait()
        reports = {who: _report(folder, who) for who, code in codes.items() if code}
        packets, posted = self.sink.settle(), self.intake.settle()
        return Run(packets, self._accounted(before), reports, posted)

    def _sipp(
        self, folder: Path, who: str, scenario: str, port: int, calls: int, timeout: int, extra: tuple[str, ...] = ()
    ) -> subprocess.Popen[bytes]:
        file = folder / f"{who}.xml"
        file.write_text(scenario)
        command = ["sipp", "-sf", str(file), "-i", HOST, "-p", str(port), "-m", str(calls), "-nostdin"]
        command += [
            "-timeout",
            f"{timeout}s",
            "-timeout_error",
            "-trace_err",
            "-error_file",
            str(folder / f"{who}.err"),
        ]
        command += ["-mp", str(free_ports(1)[0]), "-cid_str", "%u-%p-" + folder.name + "@%s", *extra]
        with (folder / f"{who}.out").open("wb") as output:
            return subprocess.Popen(
                command, cwd=folder, stdout=output, stderr=output, env={**os.environ, "TERM": "dumb"}
            )

    def _accounted(self, offset: int) -> list[Accounted]:
        """The accounting rows that were logged after this byte."""
        rows = []
        for line in self.log.read_bytes()[offset:].decode(errors="replace").splitlines():
            match = _ACC.search(line)
            if match is None:
                continue
            fields = dict(part.partition("=")[::2] for part in match["rest"].split(";"))
            at = float(match["seconds"])
            rows.append(Accounted(match["what"], at, fields["method"], fields["call_id"], int(fields["code"])))
        return rows

    def close(self) -> None:
        """End Kamailio and the sink."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._output.close()
        self.sink.close()
        self.intake.close()


def _wait_bound(port: int) -> None:
    """Until something listens on this UDP port."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                return
        time.sleep(0.05)
    raise AssertionError(f"SIPp does not listen on {port}")


def _report(folder: Path, who: str) -> str:
    parts = [folder / f"{who}.err", folder / f"{who}.out"]
    return "\n".join(part.read_text(errors="replace")[-2000:] for part in parts if part.exists())
