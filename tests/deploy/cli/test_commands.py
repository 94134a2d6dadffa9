"""The command line itself: help, exit codes, one line for what can happen to anyone, nothing imported in vain."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app
from deploy.cli.exits import CommandError, ExitCode, expected
from deploy.local.errors import PortBusy, ServiceFailed
from schemas.topics import Topics
from tests.deploy.cli.running import clean_environment, shopmeter

COMMANDS = (
    *("up", "demo", "worker", "sink", "probe", "migrate", "simulate", "send", "wait", "sql", "doctor"),
    *("report", "metrics", "export", "serve"),
    *("topics create", "topics check", "skip", "audit conservation"),
    *("dead-letters list", "dead-letters show", "dead-letters export", "dead-letters replay"),
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """Commands in an empty directory, without any setting."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    return CliRunner()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(run: CliRunner, command: str) -> None:
    result = run.invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output
    assert "shopmeter" in result.output


def test_help_lists_every_command_and_exit_code(run: CliRunner) -> None:
    text = run.invoke(app, ["--help"]).output
    for command in COMMANDS:
        assert f"  {command.split()[0]} " in text
    for code in ExitCode:
        assert f"  {int(code)} " in text


def test_help_imports_nothing_that_takes_time() -> None:
    heavy = (
        "aiokafka",
        "faust",
        "pydantic",
        "rich",
        "clickhouse_connect",
        "aiohttp",
        "msgspec",
        "jgo",
        "asyncio",
    )
    code = f"""
import sys
sys.argv = ["shopmeter", "--help"]
from deploy.cli import main
try:
    main()
except SystemExit:
    print([name for name in {heavy!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_wrong_arguments_are_usage_errors(run: CliRunner) -> None:
    for arguments in (
        ["nothing"],
        ["up", "--workers", "0"],
        ["send"],
        ["sql", "SELECT 1", "--param", "x"],
        ["simulate", "--live", "--to", "there"],
    ):
        result = run.invoke(app, arguments)
        assert result.exit_code == 2, arguments


def test_a_misspelt_setting_is_named(run: CliRunner) -> None:
    result = run.invoke(app, ["wait"], env={"SHOPMETER_KAFFKA__BOOTSTRAP": "x"})
    assert result.exit_code == 2
    assert "SHOPMETER_KAFFKA__BOOTSTRAP" in result.stderr


def test_without_a_stack_the_mend_is_told_in_one_line(tmp_path: Path) -> None:
    nobody = {"SHOPMETER_KAFKA__BOOTSTRAP": "127.0.0.1:1", "SHOPMETER_CLICKHOUSE__URL": "http://127.0.0.1:1"}
    line = '{"topic": "shop.click", "value": {}}'
    (tmp_path / "stores.toml").write_text("version = 1\n[stores.acme]\n")
    for arguments in (["send", "-"], ["wait"], ["topics", "check"], ["sql", "SELECT 1"], ["migrate"]):
        # As a process: what libraries log on their way to the error would stand above the line.
        result = shopmeter(tmp_path, *arguments, stdin=line, env=nobody)
        assert result.returncode == 3, arguments
        assert "shopmeter up" in result.stderr
        assert len(result.stderr.splitlines()) == 1, result.stderr


def test_a_bug_keeps_its_traceback() -> None:
    assert expected(ZeroDivisionError("a bug")) is None
    assert expected(PortBusy("9092 is busy")) == ("9092 is busy", ExitCode.PREREQUISITE)
    assert expected(ServiceFailed("it died", service="worker")) == ("it died", ExitCode.FAILED)
    assert expected(CommandError("late", ExitCode.TIMEOUT)) == ("late", ExitCode.TIMEOUT)


def test_every_error_with_an_exit_code_exists() -> None:
    # The table names classes as text; a class that was renamed would end in a traceback.
    from importlib import import_module

    from deploy.cli import exits

    for name in exits._CODES:
        module, _, kind = name.rpartition(".")
        assert issubclass(getattr(import_module(module), kind), Exception)


def test_simulated_files_can_be_sent(run: CliRunner, tmp_path: Path) -> None:
    from deploy.send import parse_line

    arguments = ["simulate", "--to", "out", "--days", "1", "--people", "300", "--seed", "7", "--json"]
    result = run.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "out" / "events.jsonl").read_bytes().splitlines()
    records = [parse_line(line, "events.jsonl", Topics()) for line in lines]
    assert len(records) == json.loads(result.stdout)["records"] > 50
    assert (tmp_path / "out" / "stores.toml").read_text().count("[stores.") == 1


def test_a_store_that_is_not_configured_is_not_simulated(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "stores.toml").write_text("version = 1\n[stores.acme]\n")
    result = run.invoke(app, ["simulate", "--to", "out", "--stores", "gotham"])
    assert result.exit_code == 2
    assert "gotham" in result.stderr
    assert "acme" in result.stderr


def test_a_stack_is_not_started_beside_servers_that_the_settings_name(run: CliRunner) -> None:
    result = run.invoke(app, ["up"], env={"SHOPMETER_KAFKA__BOOTSTRAP": "kafka.example:9092"})
    assert result.exit_code == 3
    assert "kafka.example:9092" in result.stderr
