"""The whole stack through the command, on the real parts: up, send, ask, killed, up again."""

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.deploy.cli.running import (
    COMMAND,
    GONE_SECONDS,
    Up,
    clean_environment,
    running_up,
    shopmeter,
    survivors,
)

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running_up(tmp_path_factory.mktemp("up"), "--workers", "2") as running:
        yield running


def purchase(number: int) -> str:
    """An impression, the product in the cart, the order: as lines for `send`."""
    now = time.time_ns() // 1_000_000
    envelope = {
        "store_id": "acme",
        "occurred_at": now,
        "anonymous_id": f"d-{number}",
        "session_id": f"s-{number}",
    }
    line = {"product_id": "p1", "quantity": 1, "unit_price": "40.50"}
    events: list[tuple[str, str, dict[str, object]]] = [
        ("impression", "shown", {"widget_id": "home-top", "products": [{"product_id": "p1"}]}),
        ("cart", "added", {"product_id": "p1", "quantity": 1}),
        ("order", "captured", {"order_id": f"o-{number}", "currency": "EUR", "lines": [line], "total": 40.5}),
    ]
    lines = []
    for step, (topic, kind, fields) in enumerate(events):
        value = {
            **envelope,
            "occurred_at": now + step,
            "event_id": f"e-{number}-{step}",
            "type": kind,
            **fields,
        }
        lines.append(json.dumps({"topic": f"shop.{topic}", "value": value}))
    return "\n".join(lines) + "\n"


def orders(up: Up) -> list[dict[str, object]]:
    sql = "SELECT order_id, toString(total) AS total, direct_minor FROM order_totals ORDER BY order_id"
    done = shopmeter(up.directory, "sql", sql, "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_is_sent_can_be_asked_for_and_a_repeat_changes_nothing(up: Up) -> None:
    for _ in range(2):
        done = shopmeter(up.directory, "send", "-", "--wait", "--json", stdin=purchase(1))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {
            "sent": 3,
            "topics": {"shop.impression": 1, "shop.cart": 1, "shop.order": 1},
            "visible": True,
        }
        assert orders(up)[0] == {"order_id": "o-1", "total": "40.5", "direct_minor": 4050}


def test_reports_tell_it_by_command_and_over_http(up: Up) -> None:
    assert shopmeter(up.directory, "send", "-", "--wait", stdin=purchase(1)).returncode == 0
    asked = ("--period", "today", "--metric", "recommended_product_purchases")
    done = shopmeter(up.directory, "report", *asked, "--format", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    url = f"{up.urls['api']}/api/v1/report?store=acme&period=today&metric=recommended_product_purchases"
    with urllib.request.urlopen(url) as response:
        served = json.load(response)
    assert served["values"] == answer["values"]
    assert answer["store"]["id"] == "acme"
    assert answer["values"][0]["current"] >= 1


def test_a_broken_event_is_a_dead_letter_with_reason_and_field(up: Up) -> None:
    line = '{"topic": "shop.click", "value": {"store_id": "acme", "type": "clicked", "event_id": "broken"}}'
    assert shopmeter(up.directory, "send", "-", "--wait", stdin=line).returncode == 0
    sql = "SELECT reason, field FROM dead_letter_records WHERE topic = {topic:String}"
    done = shopmeter(up.directory, "sql", sql, "--param", "topic=click", "--format", "csv")
    assert done.stdout.splitlines() == ['"reason","field"', '"missing_field","occurred_at"']


def test_dead_letters_are_listed_shown_exported_and_sent_back_by_command(up: Up) -> None:
    line = '{"topic": "shop.cart", "key": "acme|bob", "value": {"store_id": "acme", "type": "added"}}'
    assert shopmeter(up.directory, "send", "-", "--wait", stdin=line).returncode == 0
    done = shopmeter(up.directory, "dead-letters", "list", "--topic", "shop.cart", "--since", "1h", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["reasons"] == {"missing_field": 1}
    place = report["letters"][0]["place"]
    done = shopmeter(up.directory, "dead-letters", "list", "--reason", "missing_field")
    assert place in done.stdout
    assert done.stdout.splitlines()[-1] == "2 dead letters, 2 missing_field"
    shown = shopmeter(up.directory, "dead-letters", "show", place).stdout
    assert "acme|bob" in shown
    assert '"type": "added"' in shown
    exported = shopmeter(up.directory, "dead-letters", "export", "--topic", "cart").stdout
    assert json.loads(exported)["key"] == "acme|bob"
    report = json.loads(shopmeter(up.directory, "dead-letters", "replay", "--dry-run", "--json").stdout)
    assert report == {"dry_run": True, "still refused": 2, "refusals": report["refusals"]}
    done = shopmeter(up.directory, "skip", *place.split("/"))
    assert done.returncode == 1
    assert "already" in done.stderr
    for wrong in (("list", "--reason", "nope"), ("list", "--since", "soon"), ("show", "cart-3")):
        done = shopmeter(up.directory, "dead-letters", *wrong)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr


def test_a_table_is_shown_for_people(up: Up) -> None:
    done = shopmeter(up.directory, "sql", "SELECT store_id, zone, NULL AS nothing, 7 AS number FROM store")
    assert "acme" in done.stdout
    assert "Europe/Madrid" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 row"


def test_sql_reads_and_no_more(up: Up) -> None:
    done = shopmeter(up.directory, "sql", "DROP TABLE orders")
    assert done.returncode == 1
    assert "readonly" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def records_read(up: Up) -> tuple[int, int]:
    """Records read so far by what is visible, and those of them that are in no bucket."""
    done = shopmeter(
        up.directory, "sql", "SELECT sum(read), sum(unaccounted) FROM buckets", "--format", "TSV"
    )
    read, unaccounted = done.stdout.split()
    return int(read), int(unaccounted)


def test_a_simulated_shop_is_processed_to_the_last_record(up: Up) -> None:
    assert json.loads(shopmeter(up.directory, "wait", "--json").stdout)["visible"] is True
    before, _ = records_read(up)
    done = shopmeter(
        up.directory, "simulate", "--live", "--rate", "200", "--seconds", "2", "--people", "50", "--json"
    )
    assert done.returncode == 0, done.stderr
    sent = json.loads(done.stdout)["records"]
    assert json.loads(shopmeter(up.directory, "wait", "--json").stdout)["visible"] is True
    assert records_read(up) == (before + sent, 0)


def test_doctor_finds_nothing_wrong_with_it(up: Up) -> None:
    done = shopmeter(up.directory, "doctor", "--json", "--free-gb", "0")
    report = json.loads(done.stdout)
    assert [check for check in report["checks"] if check["state"] == "broken"] == []
    assert {check["name"] for check in report["checks"] if check["state"] == "ok"} >= {
        "Stack",
        "Kafka",
        "ClickHouse",
        "Clock",
        "Stores",
    }
    assert shopmeter(up.directory, "topics", "check").returncode == 0
    assert json.loads(shopmeter(up.directory, "migrate", "--json").stdout) == {"applied": [], "stores": []}


def test_a_second_stack_in_the_directory_is_told_who_has_it(up: Up) -> None:
    done = shopmeter(up.directory, "up", "--free-ports")
    assert done.returncode == 3
    assert f"in use by pid {up.process.pid}" in done.stderr


def test_wait_gives_up_in_time(up: Up) -> None:
    workers = [one for one in up.family() if one.cmdline()[-1] == "worker"]
    assert len(workers) == 2
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    try:
        assert shopmeter(up.directory, "send", "-", stdin=purchase(2)).returncode == 0
        done = shopmeter(up.directory, "wait", "--timeout", "1")
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGCONT)
    assert done.returncode == 4
    assert "group shopmeter is still behind" in done.stderr


def test_with_json_stdout_is_one_line_and_a_reader_that_goes_away_ends_nothing(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*COMMAND, "up", "--free-ports", "--json"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=pipe,
        stderr=pipe,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert "kafka" in json.loads(process.stdout.readline())
            family = psutil.Process(process.pid).children(recursive=True)
            # As `2>&1 | tee` dies of the same Ctrl-C: the first "stopped" meets a broken pipe.
            process.stderr.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(GONE_SECONDS) == 143
            assert process.stdout.read() == ""
        finally:
            process.kill()
    assert survivors(family) == []


def test_killed_it_leaves_no_process_and_the_next_start_has_all_data(tmp_path: Path) -> None:
    with running_up(tmp_path) as up:
        assert shopmeter(tmp_path, "send", "-", "--wait", stdin=purchase(1)).returncode == 0
        family = up.family()
        assert len(family) >= 5  # kafka, clickhouse, worker, sink, probe
        up.process.kill()
        up.process.wait()
        assert survivors(family) == []
        # Nobody serves what the killed one had published.
        assert shopmeter(tmp_path, "sql", "SELECT 1").returncode == 3
    with running_up(tmp_path) as up:
        assert orders(up) == [{"order_id": "o-1", "total": "40.5", "direct_minor": 4050}]
        family = up.family()
    assert up.process.returncode == 0
    assert survivors(family) == []
