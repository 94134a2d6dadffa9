"""What a person types to name dead letters and records, as values."""

import re
import time
from typing import TYPE_CHECKING, Final

from deploy.cli.exits import CommandError, ExitCode

if TYPE_CHECKING:
    from deploy.dead_letters import Wanted
    from schemas.topics import Topics
    from streams.interventions import Coordinates

_AGO: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def wanted_of(
    topics: "Topics", reason: list[str] | None, topic: str, store: str, since: str, until: str
) -> "Wanted":
    """The letters that the options name; CommandError for a name or time that is none."""
    from deploy.dead_letters import Wanted
    from schemas.reasons import Reason

    known = [*(one.value for one in Reason), "foreign"]
    for name in reason or []:
        if name not in known:
            raise CommandError(f"--reason {name}: no such reason; one of {', '.join(known)}", ExitCode.USAGE)
    short = _short(topic, topics) if topic else ""
    return Wanted(tuple(reason or ()), short, store, _instant("--since", since), _instant("--until", until))


def _short(topic: str, topics: "Topics") -> str:
    from schemas.topics import INPUTS

    short = topics.short(topic)
    if short not in INPUTS:
        raise CommandError(f"{topic}: no topic of events; one of {', '.join(INPUTS)}", ExitCode.USAGE)
    return short


def place_of(text: str, topics: "Topics", *, or_foreign: bool = False) -> "Coordinates":
    """`click/3/1234`; CommandError for what is not written so. `or_foreign`: `dead-letter/0/5` too, as in `list`."""
    from sinks.dead_letters import FOREIGN_TOPIC
    from streams.interventions import Coordinates

    parts = text.split("/")
    if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        raise CommandError(f"{text}: write it as topic/partition/offset, click/3/1234", ExitCode.USAGE)
    is_foreign = or_foreign and topics.short(parts[0]) == FOREIGN_TOPIC
    short = FOREIGN_TOPIC if is_foreign else _short(parts[0], topics)
    return Coordinates(short, int(parts[1]), int(parts[2]))


def _instant(option: str, text: str) -> int | None:
    """`2h` ago, or an instant; epoch ms."""
    from schemas.instants import instant_ms

    if not text:
        return None
    if ago := _AGO.fullmatch(text):
        return time.time_ns() // 1_000_000 - int(ago[1]) * _UNITS[ago[2]]
    try:
        return instant_ms(text)
    except ValueError:
        raise CommandError(
            f"{option} {text}: write 90m, 2h, 3d, or a time with its offset: 2026-01-31T10:00:00Z",
            ExitCode.USAGE,
        ) from None
