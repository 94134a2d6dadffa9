"""What a verdict needs besides the servers' data, written beside them: it can be given later, and by another lot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from deploy.simulator.truth import Truth
from schemas.stores import Store
from streams.settings import ClickHouseSettings, KafkaSettings, Settings

NAME = "dossier.json"


class Dossier(Struct, kw_only=True):
    """An installation that has come to rest: all that was sent is visible. Seconds are wall clock."""

    application: str
    partitions: int
    stores: Mapping[str, Store]
    truth: Truth
    """What the simulator knows of everything that was sent."""
    sent: int
    seconds: float
    drain_seconds: float
    times: int = 0
    figures: dict[str, float] = {}
    wrong: list[str] = []

    def write(self, directory: Path) -> Path:
        """Into the directory; where."""
        path = directory / NAME
        path.write_bytes(msgspec.json.encode(self))
        return path

    @classmethod
    def read(cls, directory: Path) -> Self:
        """What `write` wrote. FileNotFoundError if nothing was."""
        return msgspec.json.decode((directory / NAME).read_bytes(), type=cls)

    def settings(self, bootstrap: str, url: str) -> Settings:
        """Of the installation, on servers that were started again on its data."""
        return Settings(
            application=self.application,
            topic_prefix=f"{self.application}.",
            partitions=self.partitions,
            kafka=KafkaSettings(bootstrap=bootstrap),
            clickhouse=ClickHouseSettings(url=url, database=self.application),
        )
