"""What is kept of a run says of which code it is, and only the very same code spares playing a case again."""

import json
import sys
from pathlib import Path

import msgspec
import pytest

from tests.faults import __main__ as matrix
from tests.faults.matrix import Case
from tests.faults.stage import Outcome
from tests.kafka.campaign import report
from tests.kafka.campaign.report import Finding, Origin, write

FINDING = Finding(sent=1, seconds=1.0, drain_seconds=0.1, counts={}, difference_count=0, differences=[])


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the cases that were played, on no server; results are written to `tmp_path`."""
    played: list[str] = []

    async def nothing(*_: object) -> Outcome:
        raise AssertionError

    def play(case: Case, times: int, **_: object) -> Outcome:
        played.append(case.name)
        return Outcome(times=times, figures={}, finding=FINDING)

    cases = {name: Case(name, "exact", 1, 1, nothing) for name in ("F1 a", "F2 b")}
    monkeypatch.setattr(matrix, "CASES", cases)
    monkeypatch.setattr(matrix, "RESULTS", tmp_path)
    monkeypatch.setattr(matrix, "play", play)
    return played


def run(monkeypatch: pytest.MonkeyPatch, commit: str, *words: str, since: str = "") -> int:
    """The matrix on files of this commit; `since`: what they are of once it has begun."""
    monkeypatch.setattr(sys, "argv", ["faults", *words])
    monkeypatch.setattr(matrix, "commit", lambda: commit)
    monkeypatch.setattr(report, "commit", lambda: since or commit)
    return matrix.main()


def test_a_case_is_spared_only_where_it_was_played_on_the_very_commit(
    played: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "abc", "--only", "F1") == 0
    assert run(monkeypatch, "abc") == 0
    assert played == ["F1 a", "F2 b"]
    told = json.loads((tmp_path / "faults-abc.json").read_bytes())["F1 a"]["origin"]
    assert told.keys() == {"began_at", "commit", "machine"}
    assert told["commit"] == "abc"
    assert run(monkeypatch, "def") == 0
    assert played[2:] == ["F1 a", "F2 b"]


@pytest.mark.parametrize("commit", ["abc-dirty", "unknown"])
def test_files_that_may_have_changed_since_are_played_again(
    played: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: str
) -> None:
    for _ in range(2):
        assert run(monkeypatch, commit) == 0
    assert played == ["F1 a", "F2 b"] * 2
    assert [path.name for path in tmp_path.iterdir()] == [f"faults-{commit}.json"]


def test_a_case_that_was_played_on_files_edited_meanwhile_is_played_again(
    played: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "abc", since="abc-dirty") == 0
    assert run(monkeypatch, "abc") == 0
    assert played == ["F1 a", "F2 b"] * 2


def test_a_result_without_an_origin_is_read_and_played_again(
    played: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"F1 a": {"times": 1, "figures": {}, "finding": msgspec.to_builtins(FINDING), "wrong": []}}
    (tmp_path / "faults-abc.json").write_bytes(msgspec.json.encode(old))
    assert run(monkeypatch, "abc", "--only", "F2") == 0
    assert json.loads((tmp_path / "faults-abc.json").read_bytes()).keys() == {"F1 a", "F2 b"}
    assert run(monkeypatch, "abc") == 0
    assert played == ["F2 b", "F1 a"]


def test_a_dated_result_says_of_which_commit_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "commit", lambda: "abc")
    origin = Origin.now()
    monkeypatch.setattr(report, "commit", lambda: "committed-since")
    told = json.loads(write("kills", origin, {"seed": 1}, FINDING).read_bytes())
    assert told.keys() == {"what", "at", "began_at", "commit", "machine", "options", "result"}
    assert told["commit"] == "abc"
