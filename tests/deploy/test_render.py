"""Rendered files are fresh, and what is not is named."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy import render

FILES = {"docs/a.md": "one\ntwo\n", "docs/all/b.json": "{}\n"}


def test_the_repository_is_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.render", "--check"], cwd=render.ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_collects_telemetry_schemas_and_tables() -> None:
    files = render.rendered_files()
    assert {
        "docs/telemetry.md",
        "docs/schemas/order.json",
        "deploy/clickhouse/0001_tables.sql",
    } <= files.keys()
    assert all(text.endswith("\n") for text in files.values())


def test_what_was_written_is_fresh_and_is_not_written_again(tmp_path: Path) -> None:
    assert render.write(tmp_path, FILES) == ["docs/a.md", "docs/all/b.json"]
    assert render.stale(tmp_path, FILES) == {}
    assert render.write(tmp_path, FILES) == []


def test_a_stale_file_is_named_with_its_difference(tmp_path: Path) -> None:
    render.write(tmp_path, FILES)
    (tmp_path / "docs/a.md").write_text("one\n2\n")
    (tmp_path / "docs/all/b.json").unlink()
    problems = render.stale(tmp_path, FILES)
    assert problems["docs/a.md"].splitlines()[0] == "is stale"
    assert "    -2" in problems["docs/a.md"].splitlines()
    assert "    +two" in problems["docs/a.md"].splitlines()
    assert problems["docs/all/b.json"] == "is missing"
    assert render.write(tmp_path, FILES) == ["docs/a.md", "docs/all/b.json"]


@pytest.mark.parametrize("found", [b"one\r\ntwo\r\n", b"one\ntwo", b"\xff\xfe"])
def test_line_ends_and_other_bytes_count_too(tmp_path: Path, found: bytes) -> None:
    render.write(tmp_path, FILES)
    (tmp_path / "docs/a.md").write_bytes(found)
    assert list(render.stale(tmp_path, FILES)) == ["docs/a.md"]


def test_a_long_difference_is_cut(tmp_path: Path) -> None:
    (tmp_path / "long").write_text("".join(f"{n}\n" for n in range(1000)))
    problem = render.stale(tmp_path, {"long": "other\n"})["long"]
    assert len(problem.splitlines()) == render.DIFF_LINES + 2
    assert problem.endswith("...")


def test_a_file_that_nothing_renders_is_reported_in_wholly_rendered_directories_only(tmp_path: Path) -> None:
    render.write(tmp_path, FILES)
    (tmp_path / "docs/all/deep").mkdir()
    (tmp_path / "docs/all/deep/old.json").write_text("{}")
    (tmp_path / "docs/own.md").write_text("written by hand")
    assert render.left_over(tmp_path, FILES, ("docs/all",)) == ["docs/all/deep/old.json"]


def test_the_command_writes_checks_and_complains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render.main(["--check"], root=tmp_path) == 1
    assert "docs/telemetry.md: is missing" in capsys.readouterr().out
    assert render.main([], root=tmp_path) == 0
    assert "docs/telemetry.md: written" in capsys.readouterr().out
    assert render.main(["--check"], root=tmp_path) == 0
    assert capsys.readouterr().out == ""
    (tmp_path / "docs/schemas/removed-topic.json").write_text("{}")
    assert render.main(["--check"], root=tmp_path) == 1
    assert "docs/schemas/removed-topic.json: nothing renders it" in capsys.readouterr().out
    assert render.main([], root=tmp_path) == 1  # it does not delete what it did not make


def test_two_modules_that_render_one_file_are_refused() -> None:
    one = {"a": lambda: {"docs/a.md": "1"}, "b": lambda: {"docs/a.md": "2"}}
    with pytest.raises(render.RenderError, match=r"docs/a\.md: rendered by a and by b"):
        render.rendered_files(one)


@pytest.mark.parametrize("path", ["/etc/passwd", "docs/../../x"])
def test_nothing_is_rendered_outside_of_the_repository(path: str) -> None:
    with pytest.raises(render.RenderError, match="outside"):
        render.rendered_files({"a": lambda: {path: ""}})
