"""Shopmeter's worker as it is, from settings, with an account of what it did."""

import logging
import sys
from pathlib import Path

import msgspec

from bench.accounts import WorkerAccount
from bench.tasks import ProcessTask
from processors.pipeline import make_factory
from streams.settings import Settings, load_stores
from streams.worker import run_worker


def main() -> int:
    """Run until SIGTERM; the worker's exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    task = msgspec.json.decode(sys.argv[1], type=ProcessTask)
    settings = Settings(**task.settings)
    factory = make_factory(load_stores(settings), partitions=settings.partitions)
    return run_worker(settings, factory, telemetry=WorkerAccount(Path(task.account)))


if __name__ == "__main__":
    sys.exit(main())
