"""`up --free-ports`: which ports it takes."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app
from deploy.stack import Ports


class Chosen(Exception):
    """Instead of a stack."""


def ports_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *options: str) -> Ports:
    def stack(*_: Any, ports: Ports, **__: Any) -> None:
        raise Chosen(ports)

    monkeypatch.setattr("deploy.stack.Stack", stack)
    error = CliRunner().invoke(app, ["up", "--data", str(tmp_path), *options]).exception
    assert isinstance(error, Chosen), error
    (ports,) = error.args
    assert isinstance(ports, Ports)
    return ports


def test_the_usual_ones_without_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert ports_of(monkeypatch, tmp_path, "--api-port", "18080") == Ports(api=18080)


def test_a_port_that_is_named_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also one that is named as the usual one."""
    ports = ports_of(monkeypatch, tmp_path, "--free-ports", "--api-port", "18080", "--kafka-port", "9092")
    assert (ports.api, ports.kafka) == (18080, 9092)
    usual = Ports()
    assert {
        ports.controller,
        ports.clickhouse,
        ports.reader,
        ports.worker,
        ports.sink,
        ports.probe,
    }.isdisjoint({usual.controller, usual.clickhouse, usual.reader, usual.worker, usual.sink, usual.probe})
