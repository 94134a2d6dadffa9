"""Where the lines of a process go: stderr, as text for people or as JSON, one object a line, for machines.

Libraries and Faust log through the standard library; so do we, and one formatter at the root gives all of them one look.
"""

import logging
import sys
from typing import Any, Final, Literal, TextIO

LogFormat = Literal["text", "json"]

_TEXT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
# Their INFO tells each fetch, rebalance step and client start: our own lines would be lost among them.
_QUIET: Final = ("aiokafka", "faust", "mode", "kafka")
# Warns of every tick that a busy loop takes late; of one that is late enough to matter the watchdog speaks.
_SILENT: Final = "mode.timers"


def log_to_stderr(form: LogFormat, *, stream: TextIO | None = None) -> None:
    """Send the lines of this process to stderr. JSON: timestamp (RFC 3339, UTC), level, logger, event, exception."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_json() if form == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for library in _QUIET:
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.getLogger(_SILENT).setLevel(logging.ERROR)


def _json() -> logging.Formatter:
    import orjson
    import structlog  # a quarter of a second, which text does not need

    def dumps(event: Any, **_: Any) -> str:
        return orjson.dumps(event, default=str).decode()

    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(serializer=dumps),
        ],
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
        ],
    )
