"""`doctor` finds each broken prerequisite and says how to mend it; nothing is broken where nothing is."""

import fcntl
import importlib.util
import os
import socket
from pathlib import Path

import pytest

from deploy.cli import doctor, found
from deploy.cli.doctor import Check, examine
from deploy.cli.exits import CommandError
from deploy.local import ports
from deploy.local.lock import DataLock
from deploy.stack import Ports
from tests.deploy.cli.running import clean_environment
from tests.fixtures.clickhouse import ClickHouseEndpoint


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty directory, no settings, and usual ports that are free on this machine."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    free = Ports.free()
    monkeypatch.setattr(doctor, "Ports", lambda: free)


async def broken(free_bytes: int = 0) -> dict[str, Check]:
    checks = await examine(None, free_bytes=free_bytes)
    found = {check.name: check for check in checks if check.state == "broken"}
    assert all(check.mend for check in found.values())
    return found


async def test_nothing_is_broken_in_an_empty_directory() -> None:
    assert await broken() == {}


async def test_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MIN_PYTHON", (99, 0))
    assert list(await broken()) == ["Python"]


async def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPMETER_KAFKA__PORT", "9092")
    assert "SHOPMETER_KAFKA__PORT" in (await broken())["Settings"].found


async def test_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.local.java._candidates", lambda: iter([(Path("/nowhere/java"), "JAVA_HOME")]))
    assert "/nowhere/java" in (await broken())["Java"].found


async def test_packages_of_the_local_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("jgo", "chdb") else real(name)
    )
    assert list(await broken()) == ["Jars", "Engine"]


async def test_jars_that_are_still_to_be_fetched_are_a_note(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "MAVEN_LAYOUT", str(tmp_path) + "/{group}/{artifact}/{version}")
    check = doctor.jars()
    assert check.state == "note"
    assert "the first start fetches them" in check.found


async def test_a_directory_that_others_can_read(tmp_path: Path) -> None:
    (tmp_path / ".shopmeter").mkdir(mode=0o755)
    assert (await broken())["Data"].mend == f"chmod 700 {tmp_path}/.shopmeter"


async def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / ".shopmeter").write_text("")
    assert "no directory" in (await broken())["Data"].found


async def test_a_full_disk() -> None:
    assert list(await broken(free_bytes=10**18)) == ["Disk"]


async def test_a_lock_whose_holder_is_unknown(tmp_path: Path) -> None:
    data = tmp_path / ".shopmeter"
    data.mkdir(mode=0o700)
    with (data / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "locked by a process" in (await broken())["Stack"].found


async def test_a_busy_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as held:
        held.bind((ports.LOOPBACK, 0))
        held.listen()
        monkeypatch.setattr(doctor, "Ports", lambda: Ports(kafka=held.getsockname()[1]))
        check = (await broken())["Ports"]
    assert f"pid {os.getpid()}" in check.found
    assert "--kafka-port" in check.mend


async def test_stores(tmp_path: Path) -> None:
    (tmp_path / "stores.toml").write_text('version = 1\n[stores.acme]\nzone = "Mars/Olympus"\n')
    assert "Mars/Olympus" in (await broken())["Stores"].found


async def test_rates_that_a_store_needs(tmp_path: Path) -> None:
    (tmp_path / "stores.toml").write_text('version = 1\n[stores.acme]\nreporting_currency = "EUR"\n')
    assert "store acme reports in EUR" in (await broken())["Stores"].found
    (tmp_path / "rates.csv").write_text("day,currency,reporting_currency,rate\n2026-01-31,USD,EUR,1.1\n")
    assert await broken() == {}


async def test_servers_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPMETER_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", "http://127.0.0.1:1")
    assert list(await broken()) == ["Kafka", "ClickHouse", "Clock"]


async def test_where_the_settings_name_servers_nothing_of_a_local_stack_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOPMETER_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", "http://127.0.0.1:1")
    monkeypatch.setattr("deploy.local.java._candidates", lambda: iter(()))
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("jgo", "chdb") else real(name)
    )
    with socket.create_server((ports.LOOPBACK, 0)) as probe:
        monkeypatch.setattr(doctor, "Ports", lambda: Ports(probe=probe.getsockname()[1]))
        checks = {check.name: check for check in await examine(None, free_bytes=0)}
    for name in ("Java", "Jars", "Engine", "Ports"):
        assert checks[name] == Check(name, "note", "not needed: the settings name servers")


@pytest.mark.kafka
@pytest.mark.clickhouse
async def test_topics_and_schema_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, kafka: str, clickhouse: ClickHouseEndpoint
) -> None:
    monkeypatch.setenv("SHOPMETER_KAFKA__BOOTSTRAP", kafka)
    monkeypatch.setenv("SHOPMETER_TOPIC_PREFIX", "doctor.")
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", clickhouse.url)
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__DATABASE", "default")
    found = await broken()
    assert list(found) == ["Kafka", "ClickHouse"]
    assert "shopmeter topics create" in found["Kafka"].mend
    assert "shopmeter migrate" in found["ClickHouse"].mend


@pytest.mark.clickhouse
async def test_a_clock_that_is_off(monkeypatch: pytest.MonkeyPatch, clickhouse: ClickHouseEndpoint) -> None:
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", clickhouse.url)
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__DATABASE", "default")
    monkeypatch.setattr("deploy.cli.doctor.time.time", lambda: 4_000_000_000.0)
    assert "set the clocks" in (await broken())["Clock"].mend


def test_settings_win_over_a_stack_and_the_stack_over_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    urls = {
        "kafka": "127.0.0.1:19092",
        "clickhouse": "http://127.0.0.1:18123",
        "sql": "http://127.0.0.1:18124",
    }
    with DataLock(tmp_path / ".shopmeter") as lock:
        with pytest.raises(CommandError, match="still starting"):
            found.here()
        lock.publish(urls)
        here = found.here()
        assert here.settings.kafka.bootstrap == urls["kafka"]
        assert here.is_local
        monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", "http://elsewhere:8123")
        (tmp_path / "shopmeter.toml").write_text("[kafka]\nbootstrap = 'kafka.example:9092'\n")
        here = found.here()
        assert here.settings.kafka.bootstrap == "kafka.example:9092"
        assert here.settings.clickhouse.url == "http://elsewhere:8123"
        assert not here.is_local
    assert found.here().stack is None


def test_a_stack_that_was_killed_is_not_found_though_its_pid_is_anothers(tmp_path: Path) -> None:
    data = tmp_path / ".shopmeter"
    data.mkdir()
    (data / "lock").touch()
    (data / "supervisor.json").write_text(f'{{"pid": {os.getppid()}, "started_at": "", "urls": {{}}}}')
    assert found.here().stack is None
