"""What `cdr run` and `cdr status` call."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.embedded.parts import Plan
from pipeline.embedded.ports import Ports
from pipeline.embedded.run_file import status
from pipeline.embedded.screen import Screen
from pipeline.embedded.supervisor import Supervisor
from pipeline.errors import USAGE, Problem
from pipeline.output import Output, print_json, print_rows
from pipeline.settings import Settings


def run_product(settings: Settings, *, data: Path | None, ports: str, traffic: bool, rate: float, seed: int) -> None:
    """Run until SIGINT or SIGTERM; Problem when it cannot start."""
    if ports not in tuple(Ports):
        raise Problem(f"--ports {ports!r} is not known.", hint="Give fixed or auto.", code=USAGE)
    if rate <= 0:
        raise Problem(f"--rate {rate:g} is not above 0.", hint="Give calls per second, or --no-traffic.", code=USAGE)
    plan = Plan(data or settings.data, Ports(ports), traffic, rate, seed)
    Supervisor(plan, settings, Screen()).run()


def show_status(data: Path, output: Output) -> bool:
    """Print the state of the running product; gives whether every part is well."""
    state = status(data)
    healthy: bool = state["healthy"]
    if output is Output.json or output is Output.ndjson:
        print_json(state)
        return healthy
    rows = [{"part": name, **part} for name, part in state["parts"].items()]
    print_rows(rows, ("part", "pid", "health", "log"), output)
    more = state["urls"] | {
        "clickhouse": state["clickhouse"]["url"],
        "  user": state["clickhouse"]["user"],
        "  password": state["clickhouse"]["password"],
        "  database": state["clickhouse"]["database"],
        "kafka": f"{state['kafka']['bootstrap']} ({state['kafka']['client_config']} has user and password)",
        "topics": ", ".join(state["topics"].values()),
        "token": state["token"],
        "data": state["data"],
    }
    for name, value in more.items():  # beside the rows of a file, not in it
        print(f"{name:11}{value}", file=sys.stdout if output is Output.table else sys.stderr)
    return healthy
