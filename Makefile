# Everything a newcomer types. `make` alone prints this help.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
SECONDS ?=
# Each has a broker and a ClickHouse of its own: more of them want more memory, not only more cores.
TEST_PROCESSES ?= 2

.PHONY: help demo test test-faults soak simulation audit check bench render format lock clean

help: ## print this help
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s'|'

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Shopmeter needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv/.installed ## the whole pipeline on this machine, live (SECONDS=30: ends by itself with a summary)
	@$(BIN)/shopmeter demo $(if $(SECONDS),--seconds $(SECONDS))

test: .venv/.installed ## all tests, on a real Kafka broker and the real ClickHouse engine
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

test-faults: .venv/.installed ## every fault of the matrix at length, hours; goes on where it stopped, results below bench/results
	@$(BIN)/python -m tests.faults

soak: .venv/.installed ## an hour at 3,000 events a second with a random fault every five minutes
	@$(BIN)/python -m tests.faults --only F24

simulation: .venv/.installed ## the pipeline on a virtual clock: 10,000 seeds of faults, every crash point of short histories
	@$(BIN)/python -m tests.simulation --seeds 10000 --exhaustive

audit: .venv/.installed ## 200,000 events through broker, workers and sink with crashes; all metrics against the oracle
	@$(BIN)/python -m tests.audit big

check: .venv/.installed ## lint, types, import rule, stale rendered files
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports
	@$(BIN)/python -m deploy.render --check

bench: .venv/.installed ## throughput, latency and recovery beside peers, in one run; writes bench/results/
	@$(BIN)/python -m bench

render: .venv/.installed ## write again every file that is made from data
	@$(BIN)/python -m deploy.render

format: .venv/.installed ## let ruff put the code in order
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

lock: .venv/.installed ## resolve the dependencies again into requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra local --group dev --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock

clean: ## remove the environment and the local data
	rm -rf .venv .shopmeter
