# Everything alone on a fresh machine: `make run` starts the product, `make test` proves it.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data
PORTS ?= fixed
RATE ?= 1
RUN ?=
TESTS ?= tests
PYTEST ?=
JOBS ?= 4
MARKS ?= not slow
BENCH ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check fmt generate unit lint types pytest test-long setup test-parts lock bench chaos chaos-brief chaos-table chaos-parts soak audit clean

help: ## what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: setup ## the whole product on this machine (DATA=dir, PORTS=auto, RATE=calls/s, RUN=--no-traffic)
	@exec $(BIN)/cdr run --data "$(DATA)" --ports $(PORTS) --rate $(RATE) $(RUN)

test: lint ## everything that is checked before a change goes in
	@$(MAKE) --no-print-directory -j2 types pytest

check: lint types ## format, lint, types

fmt: setup ## format the code, and mend what the linter can mend
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

generate: setup ## what is made from the code: contracts under schemas/, tables in docs/
	$(BIN)/python -m schemas
	$(BIN)/python docs/tables.py
	$(BIN)/python -m tests.pbx.fidelity

unit: setup ## the tests that need no server (PYTEST=options)
	$(BIN)/python -m pytest tests -m "not slow and not kafka and not embedded and not sip" -n $(JOBS) --dist loadfile $(PYTEST)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

pytest: setup test-parts ## the tests with their real parts (TESTS=path, PYTEST=options, JOBS=files at once)
	$(BIN)/python -m pytest $(TESTS) -m "$(MARKS)" -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations=30 $(PYTEST)

test-long: ## the tests that take a minute each, and the long fuzz of every dialect
	@$(MAKE) pytest MARKS=slow
	$(BIN)/python -m pytest tests/long/sources/fuzz.py tests/long/query tests/long/reports

bench: setup .cache/bench/.installed ## figures: speed and memory (BENCH=ingest, freshness, open_calls or decode; ARGS=options)
	$(BIN)/python -m bench$(if $(BENCH),.$(BENCH)) $(ARGS)

LOAD ?= 0
chaos: setup chaos-parts ## everything breaks while the worker works: the whole table, hours; goes on where it was (LOAD=8, ARGS=options)
	$(BIN)/python -m tests.long.chaos --full --load $(LOAD) $(ARGS)

chaos-brief: setup chaos-parts ## each of these rounds for 25 s: half an hour (ARGS=options)
	$(BIN)/python -m tests.long.chaos $(ARGS)

chaos-table: setup ## the finished rounds as rows of docs/durability.md (ARGS=--any-program)
	@$(BIN)/python -m tests.long.chaos --table $(ARGS)

MINUTES ?= 60
soak: setup chaos-parts ## an hour at 1,000 events/s with a kill every minute: memory, files, threads, freshness (MINUTES=5)
	$(BIN)/python -m tests.long.chaos.soak --minutes $(MINUTES) $(ARGS)

chaos-parts:
	@.ci/debian-parts nsenter:util-linux ip:iproute2 '/usr/lib/*/faketime/libfaketime.so.1:libfaketime'

# What the worker is compared with wants other versions of its packages: an environment of its own.
.cache/bench/.installed: bench/requirements.txt
	@.ci/venv .cache/bench
	@.cache/bench/bin/python -m pip install -q --disable-pip-version-check -r bench/requirements.txt
	@touch $@

setup: $(VENV)/.installed ## the virtual environment with the locked packages

$(VENV)/bin/python:
	@.ci/venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python requirements.lock pyproject.toml
	@echo "Installing the locked packages into $(VENV) ..." >&2
	@.ci/install $(VENV)
	@touch $@

# Test parts that are no Python packages. Installed where apt-get and root allow it, else named.
# One call for all: two apt-get at once would fight for its lock.
test-parts: setup .cache/clients/.installed
	@.ci/debian-parts sipp:sip-tester kamailio:kamailio chromium:chromium kcat:kcat jq:jq \
		'/usr/lib/*/kamailio/modules/acc_json.so:kamailio-extra-modules' \
		'/usr/lib/*/kamailio/modules/http_client.so:kamailio-utils-modules'

# A client that the product itself does not use stays out of its environment.
.cache/clients/.installed: docs/producers/requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade --target .cache/clients -r $< && touch $@ || \
		{ echo "*** confluent-kafka missing: the tests that need it will be skipped. ***" >&2; [ "$${CI:-}" != true ]; }

KAFKA ?= 4.1.1
lock: setup ## resolve the newest allowed packages into the lock files, for every platform (KAFKA=version)
	@python3 -m venv .cache/lock && .cache/lock/bin/python -m pip install -q --disable-pip-version-check uv
	@.cache/lock/bin/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --all-extras \
		--generate-hashes --no-header --no-emit-index-url --no-annotate --output-file requirements.lock
	@.cache/lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --constraint requirements.lock \
		--generate-hashes --no-header --no-emit-index-url --no-annotate --output-file deploy/requirements.lock
	@$(BIN)/python .ci/lock-jars $(KAFKA)
	@echo "requirements.lock: $$(grep -c == requirements.lock) packages" >&2

audit: ## known vulnerabilities of the locked packages; fails, too, when nobody could be asked (ARGS=options of pip-audit)
	@.ci/audit $(ARGS)

clean: ## remove what was built and cached, not the data
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
