"""A reader's connection to ClickHouse for reports: it can't change anything, whoever it signs in as."""

import asyncio
from typing import Any, Final

from clickhouse_connect import get_async_client

from deploy.query import Server
from sinks.clickhouse import Address

# Sent with every query: a user with all rights reads only, too, and can't take it back.
_SETTINGS: Final = {"readonly": 1}
# A report is a dozen queries at the same time: with a thread each they share the cores as they are, and none builds its
# hash tables several times over to merge them.
_THREADS: Final = "max_threads"
QUERY_SECONDS: Final = 60


class Reader:
    """One client for the whole process, connected when it is first asked for, and again if that failed."""

    def __init__(self, server: Server) -> None:
        """ValueError for what is no HTTP URL."""
        self.server: Final = server
        self._options: Final = Address(*server).client_options() | {"send_receive_timeout": QUERY_SECONDS}
        self._connecting: Final = asyncio.Lock()
        self._client: Any = None

    async def client(self) -> Any:
        """clickhouse-connect's asynchronous client. Raises ClickHouseError, ClientError, OSError."""
        async with self._connecting:
            if self._client is None:
                client = await get_async_client(
                    **self._options, database=self.server.database, settings=_SETTINGS
                )
                # Of a user who only reads, the server's own say stands.
                if not client.server_settings[_THREADS].readonly:
                    client.set_client_setting(_THREADS, 1)
                self._client = client
            return self._client

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def __aenter__(self) -> "Reader":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
