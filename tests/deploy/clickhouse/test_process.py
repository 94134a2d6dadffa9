"""The endpoint as a process: it starts, says who holds its directory, survives kill -9 and rude clients, and ends."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.deploy.clickhouse.http import ask
from tests.fixtures.clickhouse import ClickHouseEndpoint, running_endpoint

ENDLESS = "SELECT count() FROM numbers(100000000000000) WHERE number % 7 = 8"


def run(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deploy.local.clickhouse", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def running_queries(endpoint: ClickHouseEndpoint) -> int:
    sql = "SELECT count() FROM system.processes WHERE query NOT LIKE '%system.processes%'"
    return int(ask(endpoint.port, sql).text)


def wait_until_running(endpoint: ClickHouseEndpoint, count: int) -> None:
    deadline = time.monotonic() + 20
    while running_queries(endpoint) != count:
        assert time.monotonic() < deadline, f"still {running_queries(endpoint)} queries running, not {count}"


def send_and_leave_open(port: int, body: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    target = "/?cancel_http_readonly_queries_on_client_close=1"
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall((head + body).encode())
    return connection


def test_data_survives_kill_9_and_a_clean_end(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as endpoint:
        ask(endpoint.port, "CREATE DATABASE shop")
        ask(endpoint.port, "CREATE TABLE shop.t (a Int64) ENGINE = MergeTree ORDER BY a")
        assert ask(endpoint.port, b"INSERT INTO shop.t FORMAT CSV\n1\n2\n").status == 200
        endpoint.process.kill()
    with running_endpoint(tmp_path) as endpoint:
        assert ask(endpoint.port, "SELECT sum(a) FROM shop.t").text == "3\n"
        endpoint.process.send_signal(signal.SIGTERM)
        assert endpoint.process.wait(5) == 0
    with running_endpoint(tmp_path) as endpoint:
        assert ask(endpoint.port, "SELECT sum(a) FROM shop.t").text == "3\n"


def test_it_ends_in_time_although_queries_run(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as endpoint:
        connections = [send_and_leave_open(port, ENDLESS) for port in (endpoint.port, endpoint.reader_port)]
        wait_until_running(endpoint, 2)
        started = time.monotonic()
        endpoint.process.send_signal(signal.SIGTERM)
        code = endpoint.process.wait(10)
        # First of all: one left open would be the failure of another test.
        for connection in connections:
            connection.close()
        assert code == 0
        assert time.monotonic() - started < 5


def test_it_ends_with_the_one_who_started_it(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as endpoint:
        assert endpoint.process.stdin is not None
        endpoint.process.stdin.close()
        assert endpoint.process.wait(10) == 0


def test_a_locked_directory_names_its_holder(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as endpoint:
        second = run("--data", str(tmp_path), "--port", "0")
        assert second.returncode == 3
        assert second.stdout == ""
        assert len(second.stderr.splitlines()) == 1
        assert f"process {endpoint.process.pid} " in second.stderr
        assert str(tmp_path) in second.stderr
        assert ask(endpoint.port, "SELECT 1").text == "1\n"


def test_a_busy_port_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        second = run("--data", str(tmp_path), "--port", str(holder.getsockname()[1]))
    assert second.returncode == 4
    assert "choose another port" in second.stderr


def test_only_loopback_is_listened_on(clickhouse: ClickHouseEndpoint) -> None:
    listening = {
        c.laddr.ip for c in psutil.Process(clickhouse.process.pid).net_connections() if c.status == "LISTEN"
    }
    assert listening == {"127.0.0.1"}


def test_a_query_stops_when_its_client_goes(clickhouse: ClickHouseEndpoint) -> None:
    connection = send_and_leave_open(clickhouse.port, ENDLESS)
    wait_until_running(clickhouse, 1)
    connection.close()
    wait_until_running(clickhouse, 0)


def test_a_stream_stops_when_its_client_goes(clickhouse: ClickHouseEndpoint) -> None:
    connection = send_and_leave_open(clickhouse.port, "SELECT number FROM numbers(100000000000)")
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    connection.close()
    wait_until_running(clickhouse, 0)
    assert ask(clickhouse.port, "SELECT 1").text == "1\n"


@pytest.mark.parametrize("end", ["close", "reset"])
def test_an_insert_whose_client_goes_midway_inserts_nothing(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str, end: str
) -> None:
    table = f"{clickhouse_database}.t"
    ask(clickhouse.port, f"CREATE TABLE {table} (a Int64) ENGINE = MergeTree ORDER BY a")
    connection = socket.create_connection(("127.0.0.1", clickhouse.port))
    body = f"INSERT INTO {table} FORMAT CSV\n1\n2\n".encode()
    connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + body)
    wait_until_running(clickhouse, 1)
    if end == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()
    wait_until_running(clickhouse, 0)
    assert ask(clickhouse.port, f"SELECT count() FROM {table}").text == "0\n"


def test_a_refused_body_is_not_taken_for_the_next_request(clickhouse: ClickHouseEndpoint) -> None:
    with socket.create_connection(("127.0.0.1", clickhouse.port)) as connection:
        smuggled = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
        head = b"POST /?user=bob HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (
            len(smuggled) + 9
        )
        connection.sendall(head + smuggled)
        received = b""
        while b"Code: 516." not in received:
            received += connection.recv(65536)
        connection.sendall(b"x" * 9 + smuggled)
        while chunk := connection.recv(65536):
            received += chunk
    assert received.count(b"HTTP/1.1 ") == 1


def test_the_ready_line_is_json(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as endpoint:
        assert endpoint.url == f"http://127.0.0.1:{endpoint.port}"
        assert json.loads(ask(endpoint.port, "SELECT 1 AS a FORMAT JSONEachRow").text) == {"a": 1}
