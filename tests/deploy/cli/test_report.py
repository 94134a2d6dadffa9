"""`report` and `metrics` on the real engine: table, JSON and CSV of the same values, and what is wrong in one line."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app
from schemas.metrics import METRICS, SHOWN
from schemas.stores import Store
from sinks.clickhouse import Address
from sinks.migrate import migrate
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.sinks.making import at, order, session, watermark
from tests.sinks.reading import Warehouse

ROWS = (
    session("c:ann", "s:1", messages_in=1),
    session("c:bob", "s:2", day=2, channel="=whatsapp"),
    order("o1", ("p1", 2, 100_050, "none", "")),
    order("o2", ("p1", 1, 200, "none", ""), day=2, currency="JPY", exponent=0, person="c:bob"),
    watermark(0, at(10)),
)
RANGE = ("--from", "2026-01-01", "--to", "2026-01-02")


@pytest.fixture(scope="module")
def warehouse(clickhouse: ClickHouseEndpoint) -> Iterator[Warehouse]:
    address = Address(clickhouse.url, f"test_{uuid4().hex[:12]}")
    migrate(address, {"acme": Store(name="Acme"), "tokio": Store(zone="Asia/Tokyo", currency="JPY")})
    client = clickhouse.client(address.database)
    made = Warehouse(address, client)
    asyncio.run(made.fill(*ROWS))
    try:
        yield made
    finally:
        client.command(f"DROP DATABASE {address.database} SYNC")
        client.close()


@pytest.fixture
def run(
    clickhouse: ClickHouseEndpoint, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> CliRunner:
    """Commands in an empty directory, on the engine's read-only side."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", clickhouse.reader_url)
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__DATABASE", warehouse.address.database)
    return CliRunner()


def answer_of(run: CliRunner, *arguments: str) -> Any:
    result = run.invoke(app, ["report", "--store", "acme", *arguments, "--format", "json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_float=Decimal)


def test_every_metric_is_answered(run: CliRunner) -> None:
    values = answer_of(run, *RANGE)["values"]
    assert list(dict.fromkeys(value["metric"] for value in values)) == [
        name for name in SHOWN if not METRICS[name].reporting
    ]
    answered = {METRICS[value["metric"]].number for value in values}
    # M8 and M9 are readings of the others: changes and daily lines.
    assert answered == {f"M{number}" for number in range(1, 51)} - {"M8", "M9"}


def test_json_tells_exact_numbers_and_the_dates_they_are_of(run: CliRunner) -> None:
    answer = answer_of(run, *RANGE, "--metric", "total_revenue", "--metric", "average_ticket")
    assert answer["store"] == {"id": "acme", "name": "Acme", "zone": "UTC", "currency": "EUR"}
    assert answer["period"]["current"] == {
        "from": "2026-01-01",
        "to": "2026-01-02",
        "start": "2026-01-01T00:00:00.000+00:00",
        "end": "2026-01-03T00:00:00.000+00:00",
    }
    assert answer["period"]["previous"]["to"] == "2025-12-31"
    assert (answer["data_as_of"], answer["as_of_past"]) == ("2026-01-10T10:00:00.000+00:00", False)
    numbers = {(value["metric"], value["currency"]): value["current"] for value in answer["values"]}
    assert numbers == {
        ("total_revenue", "EUR"): Decimal("1000.50"),
        ("total_revenue", "JPY"): 200,
        ("average_ticket", "EUR"): Decimal("1000.5"),
        ("average_ticket", "JPY"): 200,
    }


def test_by_and_as_of(run: CliRunner) -> None:
    asked = (*RANGE, "--by", "channel", "--metric", "total_sessions", "--as-of", "2026-01-02T00:00:00Z")
    answer = answer_of(run, *asked)
    assert answer["as_of_past"] is True
    assert [(value["by"], value["current"]) for value in answer["values"]] == [({"channel": "web"}, 1)]


def test_the_table_is_grouped_by_section_and_explains(run: CliRunner) -> None:
    result = run.invoke(app, ["report", "--store", "acme", *RANGE, "--explain"])
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "Acme · all channels · UTC",
        "custom: 2026-01-01 to 2026-01-02, compared with 2025-12-30 to 2025-12-31",
        "data as of 2026-01-10 10:00:00",
    ]
    heads = [line for line in lines if line and line == line.strip().capitalize() and " " not in line]
    assert heads == list(dict.fromkeys(METRICS[name].section.value.capitalize() for name in SHOWN))
    assert any(line.split()[:4] == ["total_revenue", "1,000.50", "EUR", "0.00"] for line in lines)
    assert "M27: Totals of captured orders" in result.stdout
    assert all(len(line.rstrip()) <= 110 for line in lines)


def test_csv_has_a_record_for_each_value_and_no_formula(run: CliRunner) -> None:
    result = run.invoke(app, ["report", "--store", "acme", *RANGE, "--by", "channel", "-f", "csv"])
    assert result.exit_code == 0, result.output
    records = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
    found = {(record["metric"], record["by"]): record["current"] for record in records}
    assert found["total_sessions", "channel==whatsapp"] == "1"
    assert found["total_revenue", "channel=web"] in ("1000.50", "200")


def test_a_store_without_data_has_its_zeros(run: CliRunner) -> None:
    result = run.invoke(app, ["report", "--store", "tokio", *RANGE])
    assert result.exit_code == 0, result.output
    assert "0 JPY" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--store", "none"), "store 'none' is not configured; configured: acme, tokio"),
        (("--store", "acme", "--period", "week"), "period 'week' is not known; known are today, yesterday"),
        (("--store", "acme", "--from", "2026-01-01"), "a custom period needs from and to"),
        (
            ("--store", "acme", "--period", "today", "--from", "2026-01-01"),
            "from and to belong to period=custom",
        ),
        (("--store", "acme", "--from", "1.1.2026", "--to", "2026-01-02"), "from '1.1.2026' is no date"),
        (("--store", "acme", "--from", "2026-01-03", "--to", "2026-01-02"), "swap from and to"),
        (
            ("--store", "acme", "--metric", "revenue"),
            "metric revenue is not known; `shopmeter metrics` lists them",
        ),
        (("--store", "acme", "--by", "weather"), "no metric can be told apart by weather"),
        (("--store", "acme", "--as-of", "2026-01-01"), "as_of '2026-01-01' is no instant"),
        (("--store", "acme", "--format", "xml"), "--format xml: known are table, json and csv"),
    ],
)
def test_a_wrong_question_is_one_line_and_exit_code_two(
    run: CliRunner, arguments: tuple[str, ...], said: str
) -> None:
    result = run.invoke(app, ["report", *arguments])
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_nobody_there_is_a_missing_prerequisite(run: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", "http://127.0.0.1:9")
    result = run.invoke(app, ["report", "--store", "acme"])
    assert result.exit_code == 3
    assert "no ClickHouse answers at http://127.0.0.1:9" in result.stderr


def test_the_catalogue_lists_every_metric(run: CliRunner) -> None:
    text = run.invoke(app, ["metrics"]).stdout
    assert [name for name in SHOWN if name not in text] == []
    listed = json.loads(run.invoke(app, ["metrics", "--format", "json"]).stdout)
    assert [metric["name"] for metric in listed["metrics"]] == list(SHOWN)
    assert [reading["number"] for reading in listed["readings"]] == ["M8", "M9"]
