"""The client's fetching, which may end without anybody being told."""

from typing import Any


class FetchingEnded(Exception):
    """The Kafka client fetches no more. The message says what ended it; a restart fetches again."""


def require_fetching(consumer: Any) -> None:
    """Raise FetchingEnded when an open consumer fetches no more.

    An error that aiokafka does not foresee ends the task that fetches. It keeps it to itself: heartbeats go on, and
    every call finds nothing new, for ever.
    """
    fetcher = consumer._fetcher
    if fetcher is not None and not fetcher._closed and fetcher.error_future.done():
        raise FetchingEnded(f"the client fetches no more: {fetcher.error_future}")
