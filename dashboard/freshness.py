"""Up to which instant a store's data is there (H16)."""

from datetime import timedelta
from typing import Any, Final

import msgspec

from dashboard.asking import Freshness, UnknownStore
from schemas.stores import Store
from schemas.tables import LONGEST_SESSION

# At a busy partition's watermark itself more may come; where all are idle nothing is left: its millisecond counts too.
_SQL: Final = f"""\
SELECT store_id, name, zone, currency, settings,
    (
        SELECT toUnixTimestamp64Milli(data_as_of) + (partitions > 0 AND idle_partitions = partitions)
        FROM data_as_of
    ) AS complete_until,
    ({LONGEST_SESSION} AND store_id = {{store:String}}) AS longest_session
FROM stores FINAL
WHERE store_id = {{store:String}} OR {{any:UInt8}}
"""


async def freshness(client: Any, store: str) -> Freshness:
    """What the store is and how far it is complete. `client`: clickhouse-connect's, asynchronous. UnknownStore."""
    rows = (await client.query(_SQL, parameters={"store": store, "any": 0})).result_rows
    if not rows:
        known = (await client.query(_SQL, parameters={"store": "", "any": 1})).result_rows
        names = ", ".join(sorted(str(row[0]) for row in known)) or "none; run the migration"
        raise UnknownStore(f"store {store!r} is not configured; configured: {names}")
    store_id, name, zone, currency, settings, complete_until, longest = rows[0]
    return Freshness(
        store_id,
        name,
        zone,
        currency,
        int(complete_until),
        msgspec.json.decode(settings, type=Store),
        timedelta(days=longest),
    )
