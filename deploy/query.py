"""Reading queries to ClickHouse over plain HTTP: what `shopmeter sql` and the demo's view ask with.

Always read-only. No client library: it would take longer to import than most queries take to run.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from sinks.clickhouse import Address

TIMEOUT_SECONDS: Final = 70.0  # the local endpoint bounds a reader's query to 60 s
CHUNK_BYTES: Final = 1 << 16


class QueryRefused(RuntimeError):
    """ClickHouse refused the query or broke it off. The message is its own."""


class Unreachable(OSError):
    """No ClickHouse answers there."""


class Answer:
    """An answer that is being received. `format`: as ClickHouse names it."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self.format = response.headers.get("X-ClickHouse-Format", "")

    def chunks(self) -> Any:
        """The body, piece by piece. Raises QueryRefused if it breaks off."""
        try:
            while piece := self._response.read(CHUNK_BYTES):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise QueryRefused(f"the answer broke off: {type(error).__name__}: {error}; ask again") from None
        finally:
            self._connection.close()

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks())


def ask(
    address: Address,
    sql: str,
    *,
    default_format: str = "JSONCompactStrings",
    params: Mapping[str, str] | None = None,
) -> Answer:
    """Send one reading query; `params` bind `{name:Type}` in it. Raises QueryRefused, Unreachable."""
    parts = urlsplit(address.url)
    options: dict[str, str] = {
        "database": address.database,
        "default_format": default_format,
        # Else an error after the first rows would come with status 200, and half an answer would look whole.
        "wait_end_of_query": "1",
        "readonly": "1",
        **{f"param_{name}": value for name, value in (params or {}).items()},
    }
    headers = {"X-ClickHouse-User": address.username, "Content-Type": "text/plain; charset=utf-8"}
    if address.password:
        headers["X-ClickHouse-Key"] = address.password
    connection = _connection(parts.scheme, parts.hostname or "", parts.port, address.ca_file)
    try:
        connection.request("POST", f"/?{urlencode(options)}", body=sql.encode(), headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            said = " ".join(response.read().decode(errors="replace").split())
            raise QueryRefused(said or f"{address.url} answered with status {response.status}")
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unreachable(f"no ClickHouse answers at {address.url} ({error})") from None
    except QueryRefused:
        connection.close()
        raise
    return Answer(connection, response)


def rows(address: Address, sql: str, **params: str) -> list[list[Any]]:
    """All rows of a small answer, numbers as numbers (64-bit integers too). Raises as `ask`."""
    answer = ask(address, sql, default_format="JSONCompact", params=params)
    found: list[list[Any]] = json.loads(answer.read())["data"]
    return found


def _connection(scheme: str, host: str, port: int | None, ca_file: str) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context(cafile=ca_file or None)
        return http.client.HTTPSConnection(host, port or 8443, timeout=TIMEOUT_SECONDS, context=context)
    return http.client.HTTPConnection(host, port or 8123, timeout=TIMEOUT_SECONDS)
