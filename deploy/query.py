"""Reading queries to ClickHouse over plain HTTP: what `shopmeter sql` and the demo's view ask with.

Always read-only. No client library: it would take longer to import than most queries take to run.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from streams.settings import Settings

TIMEOUT_SECONDS: Final = 70.0  # the local endpoint bounds a reader's query to 60 s
CHUNK_BYTES: Final = 1 << 16


class Server(NamedTuple):
    """Where to ask, and as whom."""

    url: str
    database: str
    username: str = "default"
    password: str = ""
    ca_file: str = ""


def server_of(settings: Settings) -> Server:
    """This installation's ClickHouse."""
    house = settings.clickhouse
    password, ca_file = house.password.get_secret_value(), str(house.ca_file or "")
    return Server(house.url, house.database, house.username, password, ca_file)


class QueryRefused(RuntimeError):
    """ClickHouse refused the query or broke it off. The message is its own."""


class NotText(QueryRefused):
    """The query, or what is bound in it, is no UTF-8; it was not sent."""


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
    server: Server,
    sql: str,
    *,
    default_format: str = "JSONCompactStrings",
    params: Mapping[str, str] | None = None,
) -> Answer:
    """Send one reading query; `params` bind `{name:Type}` in it. Raises QueryRefused, NotText, Unreachable."""
    parts = urlsplit(server.url)
    options: dict[str, str] = {
        "database": server.database,
        "default_format": default_format,
        # Else an error after the first rows would come with status 200, and half an answer would look whole.
        "wait_end_of_query": "1",
        "readonly": "1",
        **{f"param_{name}": value for name, value in (params or {}).items()},
    }
    headers = {"X-ClickHouse-User": server.username, "Content-Type": "text/plain; charset=utf-8"}
    if server.password:
        headers["X-ClickHouse-Key"] = server.password
    try:
        path, body = f"/?{urlencode(options)}", sql.encode()
    except UnicodeEncodeError:
        raise NotText("the query or a value in it is no UTF-8; write such bytes as unhex('ff')") from None
    connection = _connection(parts.scheme, parts.hostname or "", parts.port, server.ca_file)
    try:
        connection.request("POST", path, body=body, headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            said = " ".join(response.read().decode(errors="replace").split())
            raise QueryRefused(said or f"{server.url} answered with status {response.status}")
        if not any(name.lower().startswith("x-clickhouse-") for name in response.headers):
            # Its text would be shown as rows, or not be understood.
            response.close()  # which has the socket, if the server ends the connection
            raise Unreachable(f"no ClickHouse answers at {server.url}, but another server; mend the address")
    except (QueryRefused, Unreachable):
        connection.close()
        raise
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unreachable(f"no ClickHouse answers at {server.url} ({error})") from None
    return Answer(connection, response)


def rows(server: Server, sql: str, **params: str) -> list[list[Any]]:
    """All rows of a small answer, numbers as numbers (64-bit integers too). Raises as `ask`."""
    answer = ask(server, sql, default_format="JSONCompact", params=params)
    found: list[list[Any]] = json.loads(answer.read())["data"]
    return found


def _connection(scheme: str, host: str, port: int | None, ca_file: str) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context(cafile=ca_file or None)
        return http.client.HTTPSConnection(host, port or 8443, timeout=TIMEOUT_SECONDS, context=context)
    return http.client.HTTPConnection(host, port or 8123, timeout=TIMEOUT_SECONDS)
