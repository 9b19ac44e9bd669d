"""ClickHouse's HTTP interface over the embedded engine.

Speaks what clickhouse-connect, curl and dashboards use of it (ClickHouse documentation, "HTTP
Interface"): statements in URL and body, bound parameters, settings, content encodings, summaries and
exceptions. Absent: ClickHouse's own block compression (`compress=1`), sessions, external tables.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import http.server
import json
import secrets
import socket
import socketserver
import threading
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from http import HTTPStatus
from itertools import chain
from urllib.parse import parse_qsl, urlsplit

from pipeline.embedded.chdb_endpoint.bodies import EncodingError, Truncated, decode_pieces, read_form, read_pieces
from pipeline.embedded.chdb_endpoint.engine import Counts, Engine, EngineError, Request
from pipeline.embedded.chdb_endpoint.statements import Statement, read_statement

# Parameters of the HTTP interface itself; everything else in the URL is a setting.
TRANSPORT = frozenset(
    {
        *("query", "database", "default_format", "user", "password", "query_id", "quota_key", "role"),
        *("session_id", "session_timeout", "session_check", "compress", "decompress", "enable_http_compression"),
        *("buffer_size", "wait_end_of_query", "client_protocol_version", "add_http_cors_header"),
        *("send_progress_in_http_headers", "http_headers_progress_interval_ms"),
        "cancel_http_readonly_queries_on_client_close",
    }
)
HEAD = 65536  # how far into a body the SQL of an INSERT is looked for
MOST_SQL = 64 << 20
STATUS = {516: 403, 497: 403, 60: 404, 81: 404, 47: 404, 46: 404, 48: 501, 62: 400, 115: 400, 27: 400, 164: 500}


class Endpoint(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """The listening endpoint: one thread a connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], engine: Engine, user: str, secret: str, handler: type[Handler]
    ) -> None:
        """Listen at the address; OSError when the port is taken."""
        super().__init__(address, handler)
        self.engine, self.user, self.secret = engine, user, secret
        self._running = threading.Condition()
        self._statements = 0

    def server_bind(self) -> None:
        """Bind without asking the resolver for this machine's name, as the base class does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news; anything else is printed by the base class."""
        import sys

        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def statement(self) -> Iterator[None]:
        """Count a running statement."""
        with self._running:
            self._statements += 1
        try:
            yield
        finally:
            with self._running:
                self._statements -= 1
                self._running.notify_all()

    def drained(self, seconds: float) -> bool:
        """Wait until no statement runs."""
        with self._running:
            return self._running.wait_for(lambda: self._statements == 0, seconds)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    server_version = "ClickHouse"
    sys_version = ""
    server: Endpoint
    wbufsize = 1 << 16
    rbufsize = 1 << 18
    _body: Iterator[bytes] = iter(())

    def setup(self) -> None:
        """Answer at once: no waiting for more bytes to fill a packet."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *args: object) -> None:
        """No access log."""

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path in ("/ping", "/replicas_status") or (path == "/" and "query=" not in self.path):
            self._answer(200, b"Ok.\n")
        else:
            self._statement(read_only=True)

    def do_POST(self) -> None:
        self._statement(read_only=False)

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _statement(self, *, read_only: bool) -> None:
        try:
            with self.server.statement():
                self._execute(read_only)
        except EngineError as error:
            self._fail(error)
        except EncodingError as error:
            self._fail(EngineError(str(error), 48))
        except UnicodeDecodeError as error:
            self._fail(EngineError(f"The SQL is not UTF-8: {error}", 62))
        except (Truncated, ConnectionError, TimeoutError):
            self._hang_up()

    def _execute(self, read_only: bool) -> None:
        url = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        self._body = read_pieces(self.rfile, self.headers)  # type: ignore[arg-type]
        self._authenticate(url)
        pieces = decode_pieces(self._body, self.headers.get("Content-Encoding", ""))
        content_type = self.headers.get("Content-Type", "")
        if content_type.startswith("multipart/form-data"):
            fields, files = read_form(b"".join(pieces), content_type)
            if files:
                raise EngineError(f"External tables ({', '.join(files)}) need a ClickHouse server", 48)
            url, pieces = url | fields, iter(())
        for name in ("compress", "decompress"):
            if url.get(name) == "1":
                raise EngineError(f"{name}=1 needs a ClickHouse server; use Content-Encoding instead", 48)
        self._perform(self._request(url, pieces, read_only))

    def _perform(self, request: Request) -> None:
        engine = self.server.engine
        if request.statement.data_at is not None:
            return self._answer(200, b"", counts=engine.insert(request))
        if engine.can_stream(request):
            return self._stream(request)
        body, counts = engine.run(request)
        return self._answer(200, body, counts=counts, format=request.format if request.statement.answers else "")

    def _request(self, url: dict[str, str], pieces: Iterator[bytes], read_only: bool) -> Request:
        """Cut SQL and data apart. The URL's `query` comes first, then the body, as one text."""
        prefix = url.get("query", "").encode()
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= HEAD:
                break
        sql = prefix + b"\n" + head if prefix and head else prefix or head
        statement = read_statement(sql)
        rows: Iterator[bytes] = iter(())
        if statement.data_at is not None:
            rows = chain([sql[statement.data_at :]] if len(sql) > statement.data_at else [], pieces)
            sql = sql[: statement.data_at]
        else:
            rest = [sql]
            for piece in pieces:
                rest.append(piece)
                if sum(map(len, rest)) > MOST_SQL:
                    raise EngineError(f"The SQL is longer than {MOST_SQL} bytes. Use INSERT … FORMAT with rows", 307)
            sql = b"".join(rest)
            statement = read_statement(sql) if len(rest) > 1 else statement
        if statement.local_file:
            raise EngineError("FROM INFILE reads a file of the client; send its content as the body", 344)
        headers = self.headers
        return Request(
            sql=sql,
            statement=statement,
            database=url.get("database") or headers.get("X-ClickHouse-Database") or "",
            settings={k: v for k, v in url.items() if k not in TRANSPORT and not k.startswith("param_")},
            parameters={k.removeprefix("param_"): v for k, v in url.items() if k.startswith("param_")},
            default_format=url.get("default_format") or headers.get("X-ClickHouse-Format") or "TabSeparated",
            rows=rows,
            read_only=read_only,
        )

    def _authenticate(self, url: dict[str, str]) -> None:
        if not self.server.secret:
            return
        user = self.headers.get("X-ClickHouse-User") or url.get("user", "")
        password = self.headers.get("X-ClickHouse-Key") or url.get("password", "")
        scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            with contextlib.suppress(ValueError):
                user, _, password = base64.b64decode(credentials).decode().partition(":")
        same = hmac.compare_digest(password.encode(), self.server.secret.encode())
        if user != self.server.user or not same:
            raise EngineError(f"{user or 'default'}: Authentication failed: password is incorrect", 516)

    def _stream(self, request: Request) -> None:
        """Send blocks as they come. An answer of one block gets its length, so short ones are one packet."""
        blocks = self.server.engine.stream(request)
        try:
            first = next(blocks, b"")
            second = next(blocks, None)
            if second is None:
                return self._answer(200, first, counts=Counts(), format=request.format)
            tag = secrets.token_hex(8)
            about = self._about(Counts(), request.format) | {"X-ClickHouse-Exception-Tag": tag}
            self._head(200, {"Transfer-Encoding": "chunked"} | about)
            try:
                for block in chain((first, second), blocks):
                    self.wfile.write(b"%x\r\n" % len(block) + block + b"\r\n")
                self.wfile.write(b"0\r\n\r\n")
            except EngineError as error:
                # Told in the body as a server of version 25.11 and later does, and without the last
                # chunk: no client can take what it has for the whole.
                text = f"{error}\n"
                block = f"__exception__\r\n{tag}\r\n{text}{len(text)} {tag}\r\n__exception__\r\n".encode()
                self.wfile.write(b"%x\r\n" % len(block) + block + b"\r\n")
                self.wfile.flush()
                self._hang_up()
        finally:
            blocks.close()  # type: ignore[attr-defined]

    def _fail(self, error: EngineError) -> None:
        with contextlib.suppress(Truncated, ValueError):
            for _ in self._body:  # a client reads the answer only when it has sent everything
                pass
        self.close_connection = True
        body = f"{error}\n".encode()
        status = STATUS.get(error.code, 500)
        self._answer(status, body, extra={"X-ClickHouse-Exception-Code": str(error.code), "Connection": "close"})

    def _about(self, counts: Counts, format: str) -> dict[str, str]:
        url = dict(parse_qsl(urlsplit(self.path).query))
        summary = {name: str(value) for name, value in asdict(counts).items() if name != "seconds"}
        summary |= {"result_rows": "0", "result_bytes": "0", "elapsed_ns": str(int(counts.seconds * 1e9))}
        about = {
            "X-ClickHouse-Summary": json.dumps(summary, separators=(",", ":")),
            "X-ClickHouse-Query-Id": url.get("query_id") or str(uuid.uuid4()),
            "X-ClickHouse-Timezone": "UTC",
            "X-ClickHouse-Server-Display-Name": "embedded",
        }
        return about | {"X-ClickHouse-Format": format} if format else about

    def _answer(
        self,
        status: int,
        body: bytes,
        *,
        counts: Counts | None = None,
        format: str = "",
        extra: dict[str, str] | None = None,
    ) -> None:
        headers = {"Content-Length": str(len(body))} | (self._about(counts, format) if counts is not None else {})
        self._head(status, headers | (extra or {}))
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(HTTPStatus(status))
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        for name, value in headers.items():
            self.send_header(name, value.replace("\r", " ").replace("\n", " "))
        self.end_headers()


__all__ = ["Endpoint", "Statement"]
