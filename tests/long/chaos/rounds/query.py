"""The query service dies, and the workers that send webhooks and make reports."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import orjson

from pipeline.embedded.process import HOST, free_port
from tests.forks import Forked
from tests.long.chaos.arena import Arena
from tests.long.chaos.customers import Client, Exporter, Follower
from tests.long.chaos.load import TENANTS
from tests.long.chaos.observed import Observed, Post, ReportRun
from tests.push.receiver import Got, Receiver, receiving
from tests.reports.postbox import Postbox, serving
from tests.worker.deployment import WorkerProcess

_PAGE = 32  # messages that a sender has under way at most, and may repeat when it is killed
_REPORT = {"type": "QUEUE_PERFORMANCE", "format": "CSV", "range": "TODAY", "email": "boss@example.com", "filter": {}}


class Service:
    """`cdr api` on a port of its own, again and again."""

    def __init__(self, arena: Arena) -> None:
        self.port = free_port()
        self._environment = arena.deployment.environment | {"CDR_API_PORT": str(self.port)}
        self._log = arena.folder / "api.log"
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as out:
            self.process = Forked(["api"], stdout=out, stderr=out, env=self._environment)

    def end(self, *, at_once: bool) -> None:
        """kill -9, or SIGTERM."""
        if at_once:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(30)


def query_dies(arena: Arena) -> int:
    """kill -9 and restarts of the query service, kill -9 and freezes of workers, kill -9 of ClickHouse and Kafka while
    two tenants make exports, follow the stream, get webhooks and have reports made and mailed; receivers and the mail
    server refuse now and then."""
    arena.load.dialects = ()  # their scenarios are a tenant each, and would need a webhook each
    receiver = arena.closing.enter_context(receiving())
    box, mail_port = arena.closing.enter_context(serving())
    arena.begin(
        files=arena.folder / "files",
        webhook_private="true",
        webhook_retry_s="1,1,2,2,4,4,8,8,8,8,8,8",
        smtp_host=HOST,
        smtp_port=mail_port,
        smtp_from="reports@pbx.example.com",
        smtp_tls="off",
    )
    service = Service(arena)
    arena.closing.callback(lambda: service.end(at_once=True))
    clients = [_client(arena, service, tenant) for tenant in TENANTS]
    for client in clients:
        client.ask("POST", "/v1/webhooks", json={"url": receiver.url()}, expect=(201,))
    taken = _choosy(arena, receiver)
    exporters = [Exporter(client, arena.broken) for client in clients]
    followers = [Follower(client) for client in clients]
    for exporter in exporters:
        exporter.start()
    for follower in followers:
        follower.start()
        arena.closing.callback(follower.stop)
    workers = [arena.worker() for _ in range(2)]
    done = 0
    while not arena.over:
        arena.working(workers[0])
        _ask_for_report(clients[done % 2])
        box.answers += ["451 Later"] * (arena.chance.random() < 0.3)
        arena.pause(0.5, 4)
        _strike(arena, service, workers)
        done += 1
    for exporter in exporters:
        exporter.stop()
    arena.rests += [(lambda: _sent(arena), "webhooks sent"), (lambda: _made(arena), "reports made and mailed")]
    arena.observers += [
        lambda found: _observe(arena, found, taken, box),
        lambda found: _followed(found, followers),
        lambda found: _exported(found, exporters),
    ]
    resumed = sum(each.resumed for each in followers)
    print(
        f"    exports {sum(each.done for each in exporters)}, streams resumed {resumed}, posts {len(taken)},"
        f" mails {len(box.mails)}",
        flush=True,
    )
    return done


def _strike(arena: Arena, service: Service, workers: list[WorkerProcess]) -> None:
    """Break one part, and let it come back."""
    number = arena.chance.randrange(2)
    match arena.chance.choice(("service", "service", "worker", "freeze", "clickhouse", "broker")):
        case "service":
            service.end(at_once=arena.chance.random() < 0.7)
            arena.pause(0, 1)
            service.start()
            return
        case "worker":
            workers[number].kill()
            workers[number] = arena.worker()
        case "freeze":
            workers[number].signal(signal.SIGSTOP)
            arena.pause(7, 10)  # longer than the session time-out
            workers[number].signal(signal.SIGCONT)
        case "clickhouse":
            arena.clickhouse.kill()
            arena.pause(0.5, 3)
            arena.clickhouse.start()
        case "broker":
            arena.broker.kill()
            arena.pause(0.5, 3)
            arena.broker.start()
    # What each sender has under way goes again: of who was held or killed, and of who gave partitions away.
    arena.repeats += 2 * len(workers) * len(TENANTS) * _PAGE


def _client(arena: Arena, service: Service, tenant: str) -> Client:
    made = arena.cdr(
        "token", "create", "--tenant", tenant, "--name", "chaos", "--scope", "admin", env=arena.deployment.environment
    )
    assert made.returncode == 0, made.stderr
    return Client(f"http://{HOST}:{service.port}", tenant, made.stdout.decode().split()[-1])


def _choosy(arena: Arena, receiver: Receiver) -> list[Post]:
    """Let the receiver refuse now and then; what it takes."""
    taken: list[Post] = []

    def answer(got: Got) -> tuple[int, float]:
        if arena.chance.random() < 0.1:
            return 503, 0.0
        taken.append(Post(got.id, got.type, got.body))
        return 204, 0.2 if arena.chance.random() < 0.05 else 0.0

    receiver.answer = answer
    return taken


def _ask_for_report(client: Client) -> None:
    client.ask("POST", "/v1/reports/schedules", json=_REPORT | {"name": f"at {time.time_ns()}"}, expect=(201,))


def _sent(arena: Arena) -> bool:
    """Whether the feed is read to its end and no message waits."""
    deployment, topic = arena.deployment, arena.deployment.settings.cdrs_topic
    committed = deployment.committed(f"{deployment.settings.group}-push", topic)
    if any(committed.get(part, 0) < end for part, end in deployment.log_ends(topic).items()):
        return False
    waiting = "SELECT count() FROM webhook_delivery_rows FINAL WHERE state = 'waiting'"
    return int(deployment.client.query(waiting).result_rows[0][0]) == 0


def _made(arena: Arena) -> bool:
    """Whether each report that was asked for is made and mailed, or given up."""
    asked = "SELECT toString(id) FROM report_rows FINAL WHERE deleted = 0"
    arena.reports = [id_ for (id_,) in arena.deployment.client.query(asked).result_rows]
    over = "SELECT DISTINCT toString(report_id) FROM report_run_rows FINAL WHERE mail IN ('sent', 'failed')"
    return set(arena.reports) <= {id_ for (id_,) in arena.deployment.client.query(over).result_rows}


def _observe(arena: Arena, found: Observed, taken: list[Post], box: Postbox) -> list[str]:
    found.posts = list(taken)
    rows = arena.deployment.client.query(
        "SELECT toString(report_id), toString(due_at), toString(id), state, path FROM report_run_rows FINAL"
        " WHERE destroyed = 0"
    ).result_rows
    mails = Counter[str]()
    for message_id in {str(mail["Message-ID"]) for mail in box.mails}:  # a repetition bears the same
        mails[message_id.removeprefix("<report-").partition("-")[0]] += 1
    found.runs = [ReportRun(report, due, id_, state, mails[id_]) for report, due, id_, state, _ in rows]
    files = Path(arena.deployment.settings.files)
    missing = [f"the file {path} of a report is not there" for *_, path in rows if not (files / path).is_file()]
    return missing + [f"no mail of the report {run.id}" for run in found.runs if not run.mails]


def _followed(found: Observed, followers: list[Follower]) -> list[str]:
    """Each client has got every message of its tenant, and no other."""
    broken: list[str] = []
    for follower in followers:
        sent: set[tuple[str, int, bool]] = set()
        for value in found.feed:
            document = orjson.loads(value)
            if document["tenant"] == follower.client.tenant:
                sent.add((document["call_id"], int(document["version"]), bool(document.get("retired"))))
        deadline = time.monotonic() + 60
        while not (got := set(follower.got)) >= sent and time.monotonic() < deadline:
            time.sleep(0.5)
        if got != sent:
            broken.append(f"streamed, not in the feed: {list(got - sent)[:3]}; the other way: {list(sent - got)[:3]}")
    return broken


def _exported(found: Observed, exporters: list[Exporter]) -> list[str]:
    """An export at rest has exactly the tenant's calls."""
    broken: list[str] = []
    for exporter in exporters:
        stored = [row["call_id"] for row in found.calls if row["tenant"] == exporter.client.tenant]
        lines = [orjson.loads(line)["call_id"] for line in exporter.export(f"last-{time.monotonic_ns()}")]
        if sorted(lines) != sorted(stored):
            broken.append(f"the export has {len(lines)} calls, the tables {len(stored)}")
    return broken
