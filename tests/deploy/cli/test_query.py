"""`sql` and its like, where the query is no text or the server no ClickHouse: one line, and a code that says which."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app
from deploy.cli.doctor import examine
from deploy.query import NotText, Server, Unreachable, ask, rows
from tests.deploy.cli.running import shopmeter

NO_TEXT = "\udcff"  # as an argument of the byte ff arrives


class Stranger(BaseHTTPRequestHandler):
    """Some web server: 200 to everything."""

    body = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture(params=[b"<html>welcome</html>", b'{"status": "ok"}', b""], ids=["page", "json", "empty"])
def stranger(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Stranger, "body", request.param)
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """Commands in an empty directory, where no server is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOPMETER_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", "http://127.0.0.1:1")
    return CliRunner()


def test_a_server_that_is_no_clickhouse_is_told_as_such(
    run: CliRunner, stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unreachable, match="another server"):
        rows(Server(stranger, "default"), "SELECT 1")
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", stranger)
    for arguments in (["sql", "SELECT 1"], ["sql", "SELECT 1", "-f", "csv"], ["dead-letters", "list"]):
        result = run.invoke(app, arguments)
        assert (result.exit_code, result.stdout) == (3, ""), result.exception
        assert f"no ClickHouse answers at {stranger}, but another server" in result.stderr
        assert len(result.stderr.splitlines()) == 1


async def test_doctor_does_not_stumble_over_it(
    run: CliRunner, stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", stranger)
    found = {check.name: check for check in await examine(None, free_bytes=0)}
    assert "another server" in found["ClickHouse"].found
    assert found["Clock"].state == "broken"


@pytest.mark.parametrize(
    "arguments",
    [
        ("sql", f"SELECT '{NO_TEXT}'"),
        ("sql", "SELECT {a:String}", "--param", f"a={NO_TEXT}"),
        ("sql", "-"),
        ("dead-letters", "list", "--store", NO_TEXT),
    ],
)
def test_what_is_no_text_is_a_usage_error(run: CliRunner, arguments: tuple[str, ...]) -> None:
    result = run.invoke(app, list(arguments), input=b"SELECT '\xff'")
    assert result.exit_code == 2, result.exception
    assert "no UTF-8" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_query_from_stdin_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    nowhere = {"SHOPMETER_CLICKHOUSE__URL": "http://127.0.0.1:1", "PYTHONIOENCODING": "ascii:strict"}
    result = shopmeter(tmp_path, "sql", "-", stdin="SELECT 'señor'", env=nowhere)
    assert result.returncode == 3, result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_nothing_is_sent_that_is_no_text() -> None:
    with pytest.raises(NotText):
        ask(Server("http://127.0.0.1:1", "default"), NO_TEXT)
