"""What the demo shows while it is live: a calm page on a terminal, a line every few seconds elsewhere."""

import asyncio
import sys
import time
import urllib.request
from typing import Any, Final, NamedTuple, Self

from deploy.console import console
from deploy.demo.figures import BUCKETS
from deploy.query import Server, rows
from deploy.stack import Urls

REFRESH_SECONDS: Final = 2.0
LINE_SECONDS: Final = 5.0
WIDGETS_SHOWN: Final = 3
_LAG_SUM: Final = "kafka_consumergroup_lag_sum"
_LAG_SECONDS: Final = "kafka_consumergroup_group_max_lag_seconds"

_BUCKETS_SQL: Final = f"SELECT sum(read), {', '.join(f'sum({bucket})' for bucket in BUCKETS)} FROM buckets"
_MONEY_SQL: Final = """
SELECT currency, sum(orders), sum(revenue), sum(direct), sum(assisted) FROM
(
    SELECT currency, total_orders AS orders, total_revenue AS revenue, 0 AS direct, 0 AS assisted FROM revenue_daily
    UNION ALL
    SELECT currency, 0, 0, recommendation_direct_revenue, recommendation_assisted_revenue
    FROM recommendation_revenue_daily
)
GROUP BY currency ORDER BY 3 DESC LIMIT 2
"""
_WIDGETS_SQL: Final = f"""
SELECT widget_id, sum(recommendation_direct_revenue) FROM recommendation_revenue_by_widget
WHERE currency = {{currency:String}} AND widget_id != '' GROUP BY widget_id ORDER BY 2 DESC LIMIT {WIDGETS_SHOWN}
"""
_FRESH_SQL: Final = "SELECT toUnixTimestamp64Milli(newest_record_at) FROM data_as_of"


class Money(NamedTuple):
    """One currency, all days, in major units."""

    currency: str
    orders: int
    revenue: float
    direct: float
    assisted: float


class Snapshot(NamedTuple):
    """What is shown, as of one moment. None: nobody could tell."""

    read: int
    buckets: dict[str, int]
    money: list[Money]
    widgets: list[tuple[str, float]]
    freshness_s: float | None
    lag: dict[str, tuple[int, float]]
    """Consumer group -> records, seconds. Records count the transactions' markers, so they rest a little above 0."""


def look(server: Server, urls: Urls) -> Snapshot:
    """Ask ClickHouse and the probe. Blocks for some tens of milliseconds. Raises QueryRefused, Unreachable."""
    read, *counts = map(int, rows(server, _BUCKETS_SQL)[0])
    money = [Money(code, int(orders), *map(float, rest)) for code, orders, *rest in rows(server, _MONEY_SQL)]
    widgets = rows(server, _WIDGETS_SQL, currency=money[0].currency) if money else []
    newest = rows(server, _FRESH_SQL)
    newest_ms = int(newest[0][0]) if newest else 0
    return Snapshot(
        read,
        dict(zip(BUCKETS, counts, strict=True)),
        money,
        [(str(name), float(revenue)) for name, revenue in widgets],
        max(time.time() - newest_ms / 1000, 0.0) if newest_ms else None,
        _lag(urls.metrics.get("probe", "")),
    )


def _lag(url: str) -> dict[str, tuple[int, float]]:
    from prometheus_client.parser import text_string_to_metric_families

    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            text = answer.read().decode()
    except (OSError, ValueError):
        return {}  # shown as unknown; the supervisor ends the demo if the probe is dead
    records: dict[str, int] = {}
    seconds: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == _LAG_SUM:
                group = sample.labels["consumergroup"]
                records[group] = records.get(group, 0) + int(sample.value)
            elif sample.name == _LAG_SECONDS:
                seconds[sample.labels["group"]] = sample.value
    return {group: (count, seconds.get(group, 0.0)) for group, count in records.items()}


class View:
    """Shows snapshots for the length of a `with` block."""

    def __init__(self, server: Server, urls: Urls, *, rate: float, seconds: float | None) -> None:
        self._server, self._urls = server, urls
        self._rate, self._seconds = rate, seconds
        self._console: Any = console()
        self._live: Any = None
        self._began = self._told = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    async def run(self, stop: asyncio.Event) -> None:
        """Look and show until `stop`. Raises as `look`."""
        while not stop.is_set():
            began = time.monotonic()
            self.show(await asyncio.to_thread(look, self._server, self._urls))
            rest = REFRESH_SECONDS - (time.monotonic() - began)
            try:
                # At least a little: a slow machine must not spend itself on looking.
                await asyncio.wait_for(stop.wait(), max(rest, REFRESH_SECONDS / 4))
            except TimeoutError:
                continue

    def show(self, snapshot: Snapshot) -> None:
        """Show one snapshot."""
        elapsed = time.monotonic() - self._began
        if self._live is not None:
            self._live.update(page(snapshot, self._urls, elapsed, self._rate, self._seconds), refresh=True)
        elif time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            print(line(snapshot, elapsed))
            sys.stdout.flush()


def page(snapshot: Snapshot, urls: Urls, elapsed: float, rate: float, seconds: float | None) -> Any:
    """The page for a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", min_width=12)
    table.add_column()
    until = f" of {_clock(seconds)}" if seconds else ""
    table.add_row(
        "Live", Text(f"{_clock(elapsed)}{until}   {rate:g} events a second   Ctrl-C stops, data stays")
    )
    table.add_row("Events in", Text(f"{snapshot.read:,}", style="bold"))
    table.add_row("Buckets", Text(_buckets(snapshot)))
    table.add_row("Lag", Text(_lags(snapshot)))
    table.add_row("Freshness", Text(_freshness(snapshot)))
    table.add_row("", "")
    for money in snapshot.money:
        table.add_row(
            "Revenue",
            Text.assemble((f"{money.revenue:,.2f} {money.currency}", "bold"), f"   {money.orders:,} orders"),
        )
        credit = f"direct {money.direct:,.2f}   assisted {money.assisted:,.2f}"
        table.add_row("", Text(credit))
    if snapshot.widgets:
        table.add_row(
            "Top widgets", Text("   ".join(f"{name} {revenue:,.2f}" for name, revenue in snapshot.widgets))
        )
    table.add_row("", "")
    table.add_row("SQL", Text(f'{urls.reader}   shopmeter sql "SELECT * FROM revenue_daily"'))
    return table


def line(snapshot: Snapshot, elapsed: float) -> str:
    """One line for a log."""
    money = "".join(
        f"  {one.currency} {one.revenue:,.2f} direct {one.direct:,.2f} assisted {one.assisted:,.2f}"
        for one in snapshot.money
    )
    return (
        f"   live {_clock(elapsed)}  {snapshot.read:,} in  {_buckets(snapshot)}  lag {_lags(snapshot)}  "
        f"fresh {_freshness(snapshot)}{money}"
    )


def _buckets(snapshot: Snapshot) -> str:
    return "  ".join(f"{bucket.replace('_', ' ')} {count:,}" for bucket, count in snapshot.buckets.items())


def _lags(snapshot: Snapshot) -> str:
    parts = [
        f"{group} {count:,} records, {age:.1f} s" for group, (count, age) in sorted(snapshot.lag.items())
    ]
    return "   ".join(parts) or "unknown"


def _freshness(snapshot: Snapshot) -> str:
    return "nothing yet" if snapshot.freshness_s is None else f"{snapshot.freshness_s:.1f} s"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
