"""`python -m tests.audit worlds 200`: random worlds; `... big`: one big history through broker, workers and sink.

Exit 0 only if report and oracle agree in every value.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

from sinks.clickhouse import Address
from tests.audit.big import run_big
from tests.audit.run import Finding, Options, compare_worlds
from tests.fixtures.clickhouse import ClickHouseEndpoint, running_endpoint
from tests.fixtures.kafka import running_broker
from tests.sinks.reading import Warehouse

BATCH = 25
SHOWN = 40


def main() -> int:
    """1: there are differences, or metrics that were not answered."""
    asked = _options()
    whole = _big(asked) if asked.audit == "big" else _worlds(asked)
    sys.stdout.write(table(whole))
    return 0 if whole.is_exact else 1


def _big(asked: argparse.Namespace) -> Finding:
    wanted = {name: value for name, value in vars(asked).items() if name != "audit"}
    with tempfile.TemporaryDirectory(prefix="audit-") as name:
        root = Path(name)
        with running_broker(root / "kafka") as broker, running_endpoint(root / "house") as house:
            return asyncio.run(run_big(broker.bootstrap, house.url, root / "shop", **wanted))


def _worlds(asked: argparse.Namespace) -> Finding:
    options = Options(
        identity=not asked.strangers,
        shared_orders=not asked.own_orders,
        definitions=not asked.undefined,
        questions=asked.questions,
        partitions=tuple(asked.partitions),
    )
    whole = Finding()
    with (
        tempfile.TemporaryDirectory(prefix="audit-") as directory,
        running_endpoint(Path(directory) / "house") as house,
    ):
        for start in range(asked.seed, asked.seed + asked.number, BATCH):
            seeds = range(start, min(start + BATCH, asked.seed + asked.number))
            add(whole, asyncio.run(_batch(house, list(seeds), options)))
            sys.stderr.write(f"{whole.worlds} worlds, {len(whole.differences)} differences\n")
    return whole


async def _batch(house: ClickHouseEndpoint, seeds: list[int], options: Options) -> Finding:
    address = Address(house.url, f"audit_{uuid4().hex[:12]}")
    root: Any = house.client()
    root.command(f"CREATE DATABASE {address.database}")
    client = await house.async_client(address.database, reader=True)
    try:
        return await compare_worlds(
            Warehouse(address, house.client(address.database)), client, seeds, options
        )
    finally:
        await client.close()
        root.command(f"DROP DATABASE {address.database} SYNC")
        root.close()


def add(whole: Finding, part: Finding) -> None:
    """Put a batch into the sum of all."""
    whole.worlds += part.worlds
    whole.events += part.events
    whole.rows += part.rows
    whole.questions += part.questions
    whole.cells += part.cells
    whole.files += part.files
    whole.differences += part.differences
    whole.silent += part.silent
    whole.metrics |= part.metrics


def table(found: Finding) -> str:
    """The finding in words: by metric and aspect, then the first differences one by one."""
    lines = [
        f"{found.worlds} worlds, {found.events} records, {found.rows} rows, {found.questions} questions, "
        f"{found.cells} cells of {len(found.metrics)} metrics, {found.files} files: {len(found.differences)} differences"
    ]
    counted = Counter((each.cell.metric, each.aspect) for _, _, each in found.differences)
    lines += [f"{number:7}  {metric}: {aspect}" for (metric, aspect), number in counted.most_common()]
    lines += [f"{number:7}  {metric}: never answered" for metric, number in found.silent.most_common()]
    seen: Counter[str] = Counter()
    for seed, store_id, each in found.differences:
        seen[each.cell.metric] += 1
        if seen[each.cell.metric] <= 2 and len(lines) < SHOWN + len(counted):
            lines.append(f"  world {seed}, {store_id}: {each}")
    return "\n".join(lines) + "\n"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.audit", description=__doc__)
    audits = parser.add_subparsers(dest="audit", required=True)
    worlds = audits.add_parser("worlds", help="random worlds, in process and on the real engine")
    worlds.add_argument("number", type=int, nargs="?", default=200, help="how many")
    worlds.add_argument("--seed", type=int, default=0, help="of the first")
    worlds.add_argument("--questions", type=int, default=12, help="to each store")
    worlds.add_argument("--partitions", type=int, nargs="+", default=[1, 3], help="taken in turn")
    worlds.add_argument("--strangers", action="store_true", help="no device logs in")
    worlds.add_argument("--own-orders", action="store_true", help="no order is captured by two persons")
    worlds.add_argument("--undefined", action="store_true", help="no definitions")
    big = audits.add_parser("big", help="one history through the real broker, workers and sink, with crashes")
    big.add_argument("--events", type=int, default=200_000, help="at least")
    big.add_argument("--people", type=int, default=5_000)
    big.add_argument("--days", type=float, default=40.0)
    big.add_argument("--kills", type=int, default=4, help="of a worker and of the sink, each")
    big.add_argument("--questions", type=int, default=40, help="to each store")
    big.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
