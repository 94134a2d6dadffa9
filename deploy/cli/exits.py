"""Exit codes, and which expected error ends a command with which."""

import errno
from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """What a script may rely on; listed in `shopmeter --help`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PREREQUISITE = 3
    TIMEOUT = 4
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot do what it was asked for. The message is one line: what, where, what now."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


# By name: a command that never came near Kafka must not import it to find out that its error is not Kafka's.
_CODES: Final = {
    "deploy.local.errors.ServiceFailed": ExitCode.FAILED,
    "deploy.local.errors.LocalStackError": ExitCode.PREREQUISITE,
    "streams.settings.SettingsError": ExitCode.USAGE,
    "schemas.stores.StoresError": ExitCode.USAGE,
    "schemas.rates.RatesError": ExitCode.USAGE,
    "deploy.simulator.scenario.ScenarioError": ExitCode.USAGE,
    "deploy.simulator.batches.ProduceError": ExitCode.FAILED,
    "deploy.send.LineError": ExitCode.FAILED,
    "deploy.fixing.FixFailed": ExitCode.FAILED,
    "deploy.skipping.SkipRefused": ExitCode.FAILED,
    "deploy.send.SendError": ExitCode.FAILED,
    "deploy.demo.memory.StateUnreadable": ExitCode.FAILED,
    "deploy.query.QueryRefused": ExitCode.FAILED,
    "deploy.query.Unreachable": ExitCode.PREREQUISITE,
    "deploy.serving.ServeError": ExitCode.PREREQUISITE,
    "dashboard.asking.AskError": ExitCode.USAGE,
    "dashboard.periods.PeriodError": ExitCode.USAGE,
    "streams.topics.TopicsError": ExitCode.FAILED,
    "sinks.migrate.ServerAway": ExitCode.PREREQUISITE,
    "sinks.migrate.MigrationFailed": ExitCode.FAILED,
    "sinks.base.SinkError": ExitCode.FAILED,
    "sinks.batching.BadRow": ExitCode.FAILED,
    "streams.rows_reader.AssignmentBroken": ExitCode.FAILED,
    "streams.engine.fetch_task.FetchingEnded": ExitCode.FAILED,
    "streams.caught_up.NotCaughtUp": ExitCode.TIMEOUT,
    "streams.conservation.BooksUnread": ExitCode.PREREQUISITE,
    "streams.lag.LagError": ExitCode.FAILED,
    "streams.health.HealthError": ExitCode.PREREQUISITE,
    "aiokafka.errors.KafkaConnectionError": ExitCode.PREREQUISITE,
    "aiokafka.errors.KafkaError": ExitCode.FAILED,
}
_MENDS: Final = {
    # Of the demo's own ClickHouse; the other commands know whose it is, and say more (`query.asking`).
    "deploy.query.QueryRefused": "ClickHouse said that; logs/clickhouse.log in the data directory has more",
    "deploy.query.Unreachable": "logs/clickhouse.log in the data directory says why",
    "aiokafka.errors.KafkaConnectionError": (
        "is it running? `shopmeter up` starts one here; another one is named by SHOPMETER_KAFKA__BOOTSTRAP"
    ),
    "sinks.migrate.ServerAway": (
        "is it running? `shopmeter up` starts one here; another one is named by SHOPMETER_CLICKHOUSE__URL"
    ),
}


def expected(error: BaseException) -> tuple[str, ExitCode] | None:
    """The line to show and the exit code for an error that can happen to anyone; None for a bug of ours."""
    if isinstance(error, CommandError):
        return str(error), error.code
    for kind in type(error).__mro__:
        name = f"{kind.__module__}.{kind.__qualname__}"
        code = _CODES.get(name)
        if code is not None:
            text = str(error) or type(error).__name__
            mend = _MENDS.get(name)
            return f"{text}; {mend}" if mend else text, code
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename or "the output"
        return f"{where}: {error.strerror}; it is not whole: free some space, and repeat", ExitCode.FAILED
    return None
