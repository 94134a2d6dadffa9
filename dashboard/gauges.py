"""Gauges at an instant (H93 to H97): no period, no channel, nothing to compare with."""

from collections.abc import Sequence
from typing import Any

from dashboard.asking import Freshness, Value
from dashboard.compiling import born_by, instant_sql
from dashboard.periods import Clock
from schemas.metrics import QUERIES
from schemas.metrics.sql import Frame


async def gauge_values(client: Any, known: Freshness, as_of: int, names: Sequence[str]) -> list[Value]:
    """The gauges by name; one that no row tells is 0, inferred from nothing having been seen."""
    mine = "store_id = {store:String}"
    instant = instant_sql("as_of")
    frame = Frame(
        store=mine,
        whole=mine,
        scope=mine,
        as_of=instant,
        cut=instant,
        bucket="",
        counts="",
        recent="{recent:Date}",
    )
    answer = await client.query(
        frame.fill(QUERIES["gauges"].sql),
        parameters={
            "store": known.store,
            "as_of": as_of,
            "recent": born_by(known.settings, Clock(known.zone).day(as_of)) - known.longest_session,
        },
    )
    told = {str(gauge): (int(value), bool(inferred)) for _, gauge, value, inferred in answer.result_rows}
    found = []
    for name in names:
        value, inferred = told.get(name, (0, name != "journey_executions_in_progress"))
        found.append(Value(metric=name, current=value, inferred=inferred))
    return found
