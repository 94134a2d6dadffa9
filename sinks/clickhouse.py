"""Rows into ClickHouse over HTTP: one insert a batch, the wire rows as they are, in ClickHouse's MsgPack format.

Why MsgPack and not columns: the rows arrive as MessagePack. Measured with the tables of `schemas`, 100,000 rows an
insert, CPU of client and engine together: sessions 8 us a row (Native columns: 11), orders 29 us (Native: 47), and of
that only 0.7 us are spent here instead of 4 to 16.
"""

import asyncio
import re
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import aiohttp
from clickhouse_connect import get_async_client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from sinks.base import Backpressure, Batch, Rejected, SinkBroken, SinkError
from sinks.verdicts import RULES, Verdict
from sinks.wire import WIRE_TABLES

CONNECT_TIMEOUT_S: Final = 5
INSERT_TIMEOUT_S: Final = 30  # the library's default of 300 would hide a dead server for five minutes

# A failed insert of several blocks is not atomic: part of the rows stays. So a batch must fit one block.
MAX_BATCH_ROWS: Final = 500_000
INSERT_SETTINGS: Final = {
    # On by default in new servers; an acknowledged row would then only be in a buffer.
    "async_insert": 0,
    # A batch has each key once already.
    "optimize_on_insert": 0,
    "max_insert_block_size": 2 * MAX_BATCH_ROWS,
    # The parallel parser cuts the body into blocks of its own.
    "input_format_parallel_parsing": 0,
}
# The client says the status of an answer that has no code of ClickHouse only so.
HTTP_STATUS: Final = re.compile(r"\bHTTP status (\d+)")
TOO_MANY_REQUESTS: Final = 429


class Address(NamedTuple):
    """Where ClickHouse is, and as whom."""

    url: str
    database: str
    username: str = "default"
    password: str = ""
    ca_file: str = ""

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments for clickhouse-connect, without the database. ValueError for what is no HTTP URL."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"clickhouse.url {self.url!r} is no http:// or https:// URL with a host")
        secure = parts.scheme == "https"
        return {
            "host": parts.hostname,
            "port": parts.port or (8443 if secure else 8123),
            "interface": parts.scheme,
            "username": self.username,
            "password": self.password,
            "ca_cert": self.ca_file or None,
            # With a session, two requests at the same time are an error.
            "autogenerate_session_id": False,
            "connect_timeout": CONNECT_TIMEOUT_S,
            "send_receive_timeout": INSERT_TIMEOUT_S,
        }


class ClickHouseSink:
    """The sink of production. It connects at the first write, and again after every outage."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._options = address.client_options()
        self._client: Any = None
        self._connecting = asyncio.Lock()

    async def write(self, batch: Batch) -> None:
        """One insert, one block, one partition. See `sinks.base.Sink`."""
        if len(batch.rows) > MAX_BATCH_ROWS:
            raise SinkBroken(
                f"a batch of {len(batch.rows)} rows for {batch.table}; at most {MAX_BATCH_ROWS} are one block"
            )
        if not batch.rows:
            return
        table = WIRE_TABLES[batch.table]
        body = b"".join(map(table.body, batch.rows))
        try:
            client = await self._connected()
            await client.raw_insert(table.name, table.columns, body, settings=INSERT_SETTINGS, fmt="MsgPack")
        except (TimeoutError, ClickHouseError, aiohttp.ClientError, OSError) as error:
            raise classified(error, f"insert of {len(batch.rows)} rows into {batch.table}") from error

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None:
                self._client = await get_async_client(**self._options, database=self._address.database)
            return self._client

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def classified(error: BaseException, doing: str) -> SinkError:
    """The SinkError that an exception of the client stands for; see `sinks.verdicts`."""
    code = getattr(error, "code", None) or 0
    said = " ".join(str(error).split())[:500] or type(error).__name__
    if not code:
        # No answer of ClickHouse itself: refused, reset, timed out, or a proxy's 502.
        if isinstance(error, _NO_ANSWER) or _is_proxy_in_trouble(said):
            return Backpressure(f"{doing}: {said}")
        return SinkBroken(f"{doing}: {said}")
    rule = RULES.get(code)
    if rule is None:
        return SinkBroken(
            f"{doing}: code {code}, which nobody has classified; see sinks/verdicts.py: {said}", code=code
        )
    if rule.verdict is Verdict.WAIT:
        return Backpressure(f"{doing}: code {code} {rule.name}: {said}", code=code)
    if rule.verdict is Verdict.ROWS:
        return Rejected(f"{doing}: code {code} {rule.name}: {said}", code=code)
    return SinkBroken(f"{doing}: code {code} {rule.name}; {rule.why}: {said}", code=code)


_NO_ANSWER: Final = (OperationalError, aiohttp.ClientError, OSError, asyncio.TimeoutError)


def _is_proxy_in_trouble(said: str) -> bool:
    """Is it a status that passes with time? 401, 404 or 413 never will."""
    found = HTTP_STATUS.search(said)
    return found is not None and (found[1].startswith("5") or int(found[1]) == TOO_MANY_REQUESTS)
