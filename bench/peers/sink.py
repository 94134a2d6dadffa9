"""Shopmeter's sink as it is, from settings, with an account of what it did."""

import asyncio
import logging
import sys
from pathlib import Path

import msgspec

from bench.accounts import SinkAccount
from bench.tasks import ProcessTask
from streams.settings import Settings
from streams.sink import run_sink


def main() -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    task = msgspec.json.decode(sys.argv[1], type=ProcessTask)
    asyncio.run(run_sink(Settings(**task.settings), telemetry=SinkAccount(Path(task.account))))


if __name__ == "__main__":
    main()
