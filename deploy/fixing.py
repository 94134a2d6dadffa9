"""A user's program that mends dead letters: one JSON line in, the mended line out, or nothing to leave the letter."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from deploy.dead_letters import Letter, as_line
from deploy.send import LineError, Outbound, parse_line
from schemas.topics import Topics

SECONDS: Final = 60.0
_SAID: Final = 300


class FixFailed(RuntimeError):
    """The program failed, or what it wrote is no line. Names the letter, and what the program said."""


class Mended(NamedTuple):
    """A letter and what the program made of it; None: it wrote nothing."""

    letter: Letter
    record: Outbound | None


def mend(command: Sequence[str], letters: Sequence[Letter], topics: Topics) -> Iterator[Mended]:
    """Run the program for each letter, some at a time, in their order. Raises FixFailed at the first that fails.

    It gets the line of `dead-letters export`, with `value` instead of `value_base64` where the record is a JSON object.
    It may change key, value and headers; a replayed record keeps its topic and its first timestamp.
    """

    def run(letter: Letter) -> Mended:
        return Mended(letter, _mend(command, letter, topics))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(run, letters)


def _mend(command: Sequence[str], letter: Letter, topics: Topics) -> Outbound | None:
    line = as_line(letter, topics, readable=True)
    if line is None:
        return None
    try:
        done = subprocess.run(command, input=line + b"\n", capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FixFailed(
            f"{command[0]} can't mend {letter.place}: {type(error).__name__}: {error}; nothing of this batch was sent"
        ) from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-_SAID:]
        raise FixFailed(
            f"{command[0]} ended with {done.returncode} on {letter.place}; nothing of this batch was sent: {said}"
        )
    written = done.stdout.strip()
    if not written:
        return None
    try:
        record = parse_line(written, f"{command[0]} on {letter.place}", topics)
    except LineError as error:
        raise FixFailed(f"{error}; nothing of this batch was sent") from None
    if (record.topic, record.timestamp_ms) != (topics.source(str(letter.source)), letter.record_time):
        raise FixFailed(
            f"{command[0]} on {letter.place}: it changed topic or timestamp; a replayed record keeps both"
        )
    return record
