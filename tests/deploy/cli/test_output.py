"""Files that commands write: known to be writable before the work, and never half a file in place of a whole one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app
from deploy.cli.exits import CommandError, ExitCode
from deploy.cli.output import whole_file
from deploy.dead_letters import Letter
from deploy.query import Unreachable
from schemas.reasons import Reason
from streams.interventions import Coordinates

MENDED = "mended by hand\n"
LETTER = Letter(
    Coordinates("cart", 1, 5), 7, 8, Reason.MISSING_FIELD, "product_id", "acme", b"acme|d", b"{}", ()
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """Commands in a directory with a store, where no server is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOPMETER_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", "http://127.0.0.1:1")
    (tmp_path / "stores.toml").write_text("version = 1\n[stores.acme]\n")
    return CliRunner()


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    path = tmp_path / "letters.jsonl"
    path.write_text(MENDED)
    path.chmod(0o600)
    return path


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# -- one file ------------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_when_it_is_whole_and_keeps_its_mode(letters: Path) -> None:
    with whole_file("--to", letters) as file:
        file.write(b"new\n")
        assert letters.read_text() == MENDED
    assert (letters.read_text(), letters.stat().st_mode & 0o777) == ("new\n", 0o600)
    assert names(letters.parent) == ["letters.jsonl"]


def test_an_error_leaves_what_was_there(letters: Path) -> None:
    def break_off() -> None:
        with whole_file("--to", letters) as file:
            file.write(b"half\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert letters.read_text() == MENDED
    assert names(letters.parent) == ["letters.jsonl"]


def test_a_link_stays_a_link_and_a_device_a_device(letters: Path) -> None:
    link = letters.with_name("link")
    link.symlink_to(letters)
    with whole_file("--to", link) as file:
        file.write(b"new\n")
    assert (link.is_symlink(), letters.read_text()) == (True, "new\n")
    with whole_file("--to", Path("/dev/null")) as file:
        file.write(b"new\n")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("place", ["nowhere/t.json", ".", "letters.jsonl/t.json"])
def test_what_can_not_be_written_is_told_before_the_work(letters: Path, place: str) -> None:
    with (
        pytest.raises(CommandError, match=r"--truth .*: can't be written: .*; name another") as refused,
        whole_file("--truth", letters.parent / place),
    ):
        raise AssertionError("the work was begun")
    assert refused.value.code == ExitCode.USAGE


# -- commands ------------------------------------------------------------------------------------------------------


def found(*_: Any) -> Iterator[Letter]:
    yield LETTER


def away(*_: Any) -> Iterator[Letter]:
    yield LETTER
    raise Unreachable("no ClickHouse answers")


@pytest.mark.parametrize(("find", "options", "code"), [(found, ("--reason", "amuont"), 2), (away, (), 3)])
def test_an_export_that_fails_leaves_the_letters_that_were_there(
    run: CliRunner, letters: Path, monkeypatch: pytest.MonkeyPatch, find: Any, options: Any, code: int
) -> None:
    monkeypatch.setattr("deploy.dead_letters.find", find)
    result = run.invoke(app, ["dead-letters", "export", "--to", str(letters), *options])
    assert result.exit_code == code, result.exception
    assert letters.read_text() == MENDED


def test_an_export_takes_the_place_of_the_one_before(
    run: CliRunner, letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.dead_letters.find", found)
    assert run.invoke(app, ["dead-letters", "export", "--to", str(letters)]).exit_code == 0
    assert json.loads(letters.read_text())["topic"] == "shop.cart"


@pytest.mark.parametrize(
    "arguments",
    [("--live", "--seconds", "3600", "--truth", "nodir/t.json"), ("--truth", "."), ("--to", "stores.toml")],
)
def test_a_simulation_whose_outcome_can_not_be_written_is_not_begun(
    run: CliRunner, arguments: tuple[str, ...]
) -> None:
    result = run.invoke(app, ["simulate", *arguments])
    assert result.exit_code == 2, result.exception
    assert "can't be written" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_truth_may_lie_beside_the_files(run: CliRunner, tmp_path: Path) -> None:
    small = ("--days", "0.1", "--people", "5")
    result = run.invoke(app, ["simulate", "--to", "new/out", "--truth", "new/out/account.json", *small])
    assert result.exit_code == 0, result.output
    out = tmp_path / "new" / "out"
    assert (out / "account.json").read_bytes() == (out / "truth.json").read_bytes()
    assert names(out) == ["account.json", "events.jsonl", "stores.toml", "truth.json"]
