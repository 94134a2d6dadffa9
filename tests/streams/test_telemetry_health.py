"""The endpoints over real HTTP, and the file that says where they are."""

import asyncio
import os
import socket
import stat
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from streams.health import (
    Endpoint,
    HealthError,
    HealthServer,
    HealthService,
    read_endpoint,
    run_file,
    sink_server,
)
from streams.settings import Settings
from streams.telemetry import SinkSignals, WorkerSignals


async def get(url: str) -> tuple[int, str, Any]:
    """Status, content type and body (decoded, if it is JSON)."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        body = await answer.read()
        json = answer.content_type == "application/json"
        return answer.status, answer.content_type, msgspec.json.decode(body) if json else body.decode()


def server(signals: Any, data_dir: Path, **more: Any) -> HealthServer:
    return HealthServer(signals, role="worker", instance="0", data_dir=data_dir, **more)


async def test_ready_tells_the_reason_until_it_is(tmp_path: Path) -> None:
    signals = WorkerSignals(8)
    async with server(signals, tmp_path) as endpoint:
        assert endpoint.host == "127.0.0.1"
        assert await get(f"{endpoint.url}/live") == (200, "application/json", {"live": True})
        starting = {"ready": False, "reason": "starting: no partitions are assigned yet"}
        assert await get(f"{endpoint.url}/ready") == (503, "application/json", starting)
        signals.ready(True)
        assert await get(f"{endpoint.url}/ready") == (200, "application/json", {"ready": True})
        signals.ready(False)
        status, _, body = await get(f"{endpoint.url}/ready")
        assert (status, body["ready"]) == (503, False)
        # Not ready is not dead: a restart would not help.
        assert (await get(f"{endpoint.url}/live"))[0] == 200


async def test_metrics_are_what_was_told(tmp_path: Path) -> None:
    signals = WorkerSignals(8)
    async with server(signals, tmp_path) as endpoint:
        signals.on_chunk("click", 0, 7, 0.01)
        status, kind, text = await get(f"{endpoint.url}/metrics")
        assert (status, kind) == (200, "text/plain")
        assert 'shopmeter_read_records_total{topic="click"} 7.0' in text
        assert "process_resident_memory_bytes" in text


async def test_an_unknown_path_is_answered_in_json_with_those_there_are(tmp_path: Path) -> None:
    async with server(WorkerSignals(8), tmp_path) as endpoint:
        status, kind, body = await get(f"{endpoint.url}/table/people")
        assert (status, kind) == (404, "application/json")
        assert body["paths"] == ["/metrics", "/live", "/ready"]


async def test_the_real_port_is_in_the_run_file_until_the_process_stops(tmp_path: Path) -> None:
    async with server(WorkerSignals(8), tmp_path / "data") as endpoint:
        assert endpoint.port > 0
        assert endpoint.pid == os.getpid()
        assert read_endpoint(tmp_path / "data", "worker", "0") == endpoint
        # Whoever comes first makes the data directory, and nobody else may read in it.
        for made in (tmp_path / "data", tmp_path / "data" / "run"):
            assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert read_endpoint(tmp_path / "data", "worker", "0") is None
    assert list((tmp_path / "data" / "run").iterdir()) == []
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(f"{endpoint.url}/live")


async def test_the_file_of_a_process_that_was_killed_names_no_endpoint(tmp_path: Path) -> None:
    child = await asyncio.create_subprocess_exec("true")
    await child.wait()
    file = run_file(tmp_path, "sink", "0")
    file.parent.mkdir()
    file.write_bytes(msgspec.json.encode(Endpoint("sink", "0", child.pid, "127.0.0.1", 1)))
    assert read_endpoint(tmp_path, "sink", "0") is None


async def test_a_successor_keeps_its_own_file(tmp_path: Path) -> None:
    async with server(WorkerSignals(8), tmp_path):
        successor = Endpoint("worker", "0", os.getppid(), "127.0.0.1", 1)
        run_file(tmp_path, "worker", "0").write_bytes(msgspec.json.encode(successor))
    assert read_endpoint(tmp_path, "worker", "0") == successor


async def test_a_busy_port_is_refused_with_the_setting_to_change(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HealthError, match=f"127.0.0.1:{port}.*http_port"):
            await server(WorkerSignals(8), tmp_path, port=port).start()
    assert read_endpoint(tmp_path, "worker", "0") is None


async def test_it_runs_as_a_service_of_the_worker_where_the_settings_say(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    service = HealthService.of_worker(WorkerSignals(8), settings)
    await service.start()
    try:
        endpoint = read_endpoint(tmp_path, "worker", settings.worker.instance)
        assert endpoint is not None
        assert (await get(f"{endpoint.url}/live"))[0] == 200
    finally:
        await service.stop()
    assert read_endpoint(tmp_path, "worker", settings.worker.instance) is None


async def test_the_sinks_server_is_where_the_settings_say(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    async with sink_server(SinkSignals(), settings) as endpoint:
        assert read_endpoint(tmp_path, "sink", settings.sink.instance) == endpoint


def test_an_ipv6_address_is_in_brackets() -> None:
    assert Endpoint("worker", "0", 1, "::1", 80).url == "http://[::1]:80"
