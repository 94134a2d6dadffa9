"""Every error of ours ends a command with a line and an exit code, or is another's to handle, for a reason."""

import ast
import builtins
import gc
from pathlib import Path

import pytest

import deploy
from deploy.cli.exits import _CODES, ExitCode, expected
from deploy.demo import memory
from deploy.query import QueryRefused, Unreachable

ROOT = Path(deploy.__file__).resolve().parent.parent
PACKAGES = ("schemas", "processors", "sinks", "streams", "dashboard", "deploy")

ELSEWHERE = {
    "deploy.cli.exits.CommandError": "carries its own code",
    "deploy.local.kafka._GivenUp": "ends a thread of the start",
    "deploy.local.clickhouse.engine.Locked": "told by the engine's own process, with its own exit code",
    "deploy.local.clickhouse.errors.EngineError": "an answer over HTTP",
    "deploy.local.clickhouse.sqltext.Incomplete": "asks for more bytes",
    "dashboard.api.Problem": "an answer over HTTP",
    "processors.breaker.BreakerTripped": "ends the worker with 70 and a line",
    "processors.progress.RepeatedMessage": "ends the worker with 70 and a line",
    "processors.resume.CannotResume": "ends the worker with 70 and a line",
    "streams.engine.options.BrokenAssumption": "ends the worker with 70 and a line",
    "streams.engine.state.codec.CodecError": "ends the worker with 70 and a line",
    "streams.engine.state.lock.StateLocked": "ends the worker with 70 and a line",
    "streams.engine.state.rocks.StateCorrupt": "ends the worker with 70 and a line",
    "streams.engine.state.store.StateError": "ends the worker with 70 and a line",
    "streams.rows_reader.Revoked": "the sink reads on with what it has then",
    "streams.sink.Stopping": "the sink's own end",
    "sinks.wire.Unreadable": "becomes BadRow",
    "schemas.events.decode._BrokenRule": "becomes a dead letter",
    "schemas.money.BadAmount": "becomes a dead letter",
    "schemas.reasons.Rejected": "becomes a dead letter",
    "schemas.metrics.model.CatalogueError": "a bug of ours, at import",
    "schemas.telemetry.BadSignal": "a bug of ours, at import",
    "deploy.render.RenderError": "a bug of ours, when the repository is rendered",
    "streams.failpoints.FailpointReached": "a fault that a test asked for",
}


def last(name: str) -> str:
    return name.rpartition(".")[2]


def classes() -> dict[str, set[str]]:
    """The last names of the bases by each class of ours. Read, not imported: the engines take seconds."""
    found = {}
    # What earlier tests left is finalised now: a traceback that is logged while a text is parsed parses too, and CPython
    # 3.11 ends both with a SystemError then.
    gc.collect()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found[f"{module}.{node.name}"] = {last(ast.unparse(base)) for base in node.bases}
    return found


def heirs(bases: dict[str, set[str]], ancestors: set[str]) -> set[str]:
    """Those that descend from one of these; ancestors by their last names."""
    found: set[str] = set()
    while more := {name for name, of in bases.items() if of & ancestors} - found:
        found |= more
        ancestors = ancestors | {last(name) for name in more}
    return found


def test_every_error_of_ours_has_an_exit_code_or_somebody_who_handles_it() -> None:
    bases = classes()
    plain = {
        name
        for name, kind in vars(builtins).items()
        if isinstance(kind, type) and issubclass(kind, BaseException)
    }
    errors = heirs(bases, plain)
    assert len(errors) > 40
    listed = set(_CODES) | heirs(bases, {last(name) for name in _CODES})
    assert sorted(errors - listed - set(ELSEWHERE)) == []
    assert sorted(set(ELSEWHERE) - errors) == []


def test_a_clickhouse_that_refuses_or_is_away_is_told_in_a_line() -> None:
    assert expected(QueryRefused("Code: 241. Memory limit")) == (
        "Code: 241. Memory limit; ClickHouse said that; logs/clickhouse.log in the data directory has more",
        ExitCode.FAILED,
    )
    told = expected(Unreachable("no ClickHouse answers at http://127.0.0.1:8124 (refused)"))
    assert told is not None
    assert told[1] is ExitCode.PREREQUISITE


def test_a_demo_file_of_another_shape_is_told_in_a_line_with_its_mend(tmp_path: Path) -> None:
    (tmp_path / memory.FILE).write_text('{"scenario": 1}')
    with pytest.raises(memory.StateUnreadable) as raised:
        memory.load(tmp_path)
    told = expected(raised.value)
    assert told is not None
    assert told[0].startswith(f"{tmp_path / memory.FILE}: ")
    assert "; remove it, and the next run counts only what it sends itself" in told[0]
