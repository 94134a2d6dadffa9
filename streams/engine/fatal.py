"""The end of the process when something is wrong: one clear line, at once, before anything is committed.

There is no way back from here on purpose. What was not committed is read again by the next start, and whatever made
the process end stays visible as an exit code instead of a log line that nobody reads.
"""

import logging
import os
import sys
import threading
from typing import NoReturn, Protocol

EXIT_FATAL = 70  # EX_SOFTWARE: the supervisor restarts us; a loop of it is an alert
LOG_SECONDS = 2.0

log = logging.getLogger("shopmeter.engine")


class Exit(Protocol):
    """Ends the process. Tests hand in one that raises."""

    def __call__(self, reason: str, cause: BaseException | None = None) -> NoReturn: ...


def exit_now(reason: str, cause: BaseException | None = None) -> NoReturn:
    """Log one line (the traceback at debug level) and end the process without any clean-up."""
    # Clean-up is what would commit: Faust acks, flushes and commits while it stops.
    # A pipe that nobody empties would hold us in the log for ever, with partitions that are ours and stand still.
    last = threading.Timer(LOG_SECONDS, os._exit, (EXIT_FATAL,))
    last.daemon = True
    line = reason
    if cause is not None:
        notes = "".join(f" ({note})" for note in getattr(cause, "__notes__", ()))  # which record it was
        line = f"{reason}: {type(cause).__name__}: {cause}{notes}"
    try:
        last.start()
        log.critical("fatal: %s; exit %d, nothing more is committed", line, EXIT_FATAL)
        if cause is not None:
            log.debug("the cause", exc_info=cause)
        for handler in [*log.handlers, *logging.getLogger().handlers]:
            handler.flush()
        sys.stderr.flush()
    finally:
        os._exit(EXIT_FATAL)
