"""`python -m tests.kafka.campaign kills --events 500000 --kills 20`, `... joins --cycles 20`: exit 0 only when exact."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.fixtures.clickhouse import running_endpoint
from tests.fixtures.kafka import running_broker
from tests.kafka.campaign import joins, kills
from tests.kafka.campaign.report import Origin, write


def main() -> int:
    """Run one campaign on a broker and an endpoint of its own. 1: there are differences."""
    options = _options()
    settings = {name: value for name, value in vars(options).items() if name not in ("campaign", "keep")}
    directory = Path(tempfile.mkdtemp(prefix="campaign-"))
    try:
        text, is_exact, path = _run(options.campaign, settings, directory)
    finally:
        if options.keep:
            sys.stderr.write(f"logs and data are kept in {directory}\n")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    sys.stdout.write(f"{text}\n{path}\n")
    return 0 if is_exact else 1


def _run(campaign: str, settings: dict[str, Any], directory: Path) -> tuple[str, bool, Path]:
    """The result in words, whether it is exact, and where it is written."""
    origin = Origin.now()
    with running_broker(directory / "kafka") as broker, running_endpoint(directory / "house") as house:
        shop = directory / "shop"
        if campaign == "kills":
            killed = asyncio.run(kills.run_kills(broker.bootstrap, house.url, shop, **settings))
            return kills.show(killed), killed.finding.is_exact, write(campaign, origin, settings, killed)
        joined = asyncio.run(joins.run_joins(broker.bootstrap, house.url, shop, **settings))
        return joins.show(joined), joined.finding.is_exact, write(campaign, origin, settings, joined)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kafka.campaign", description=__doc__)
    campaigns = parser.add_subparsers(dest="campaign", required=True)
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument("--seed", type=int, default=1, help="of the history and of the moments")
    both.add_argument("--rate", type=float, default=2_500.0, help="records a second")
    # Ten minutes a second: a partition that stands still for a minute is hours behind the others, within the allowed
    # lateness of what it forwards to them.
    both.add_argument("--life", type=float, default=600.0, help="seconds of event time in a second")
    both.add_argument("--people", type=int, default=20_000)
    both.add_argument("--partitions", type=int, default=8)
    both.add_argument("--keep", action="store_true", help="leave the directory with all logs")
    of_kills = campaigns.add_parser("kills", parents=[both], help="kill -9 of the worker and of the sink")
    of_kills.add_argument("--events", type=int, default=500_000, help="at least")
    of_kills.add_argument("--kills", type=int, default=20, help="of each")
    of_joins = campaigns.add_parser("joins", parents=[both], help="two workers that come and go")
    of_joins.add_argument("--cycles", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
