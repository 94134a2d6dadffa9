"""The bench's parts that can be wrong without anyone noticing: what it counts, what it divides, what it writes."""

import asyncio
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from bench import accounts, report
from bench.__main__ import arguments, plan_of
from bench.measures.recovery import slope
from bench.measures.throughput import Wrong, check_counts, repeated, worker_result
from bench.peer import PeerResult, Stopwatch, write
from bench.peers.crowd import crowd, crowd_scenario
from bench.peers.probes import Probes, probe
from bench.peers.processors import slices
from bench.peers.traffic import ticks
from bench.plan import NAMES, Figure, Outcome, Plan, Row, quick
from bench.run import measure
from bench.state_keys import Counting, StateKeys
from bench.tasks import END_MS, TrafficTask
from bench.usage import UsageError, usage
from deploy.local.errors import LocalStackError
from deploy.local.kafka import KafkaBroker
from deploy.local.service import Service
from deploy.simulator import SimRecord
from schemas.epoch import Epoch, Seen, Stored
from schemas.events.decode import decode
from schemas.stores import Store
from streams.engine.state.codec import encode_epoch, seen_key

RESULT = PeerResult(events=1_000, seconds=0.5, cpu_s=0.4, peak_mb=80.0)


def test_usage_is_of_the_process_that_is_named() -> None:
    grow = "x = bytearray(90 << 20); sum(range(3_000_000)); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", grow], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        told = usage(child.pid)
        child.communicate(b"\n")
    assert told.cpu_s > 0
    assert told.peak_mb >= told.rss_mb > 90


def test_usage_of_a_process_that_is_gone_names_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(UsageError, match=str(child.pid)):
        usage(child.pid)


def test_a_stopwatch_counts_work_but_not_waiting_as_cpu() -> None:
    watch = Stopwatch()
    asyncio.run(asyncio.sleep(0.2))
    told = watch.result(5, why="waited")
    assert told.seconds >= 0.2
    assert told.cpu_s < told.seconds
    assert (told.events, told.detail) == (5, {"why": "waited"})


async def test_the_median_run_counts_and_all_are_told() -> None:
    seconds = iter((1.0, 4.0, 2.0))

    async def run() -> PeerResult:
        return msgspec.structs.replace(RESULT, seconds=next(seconds))

    result, rates = await repeated(3, run)
    assert result.seconds == 2.0
    assert rates == [1_000, 250, 500]


def test_a_worker_is_timed_from_its_first_chunk_to_the_commit_of_the_last_source_record(
    tmp_path: Path,
) -> None:
    account = accounts.WorkerAccount(tmp_path / "account")
    account.ready(True)
    account.on_chunk("cart", 0, 10, 0.25)
    account.on_epoch(0, 0.1, 0.1, {"sessions": 7}, 1_048_576)
    account.on_counts(0, {("cart", "accepted", ""): 8, ("cart", "duplicate", ""): 2})
    committed = time.monotonic()
    # What partitions send each other, and what says that a topic is idle, is no progress on the source.
    account.on_epoch(0, 0.1, 0.1, {}, 0)
    account.on_counts(0, {("forwarded", "accepted", ""): 3})
    account.ready(False)
    account.on_partition_closed(0)
    lines = accounts.read(tmp_path / "account")
    result = worker_result(lines, lines[-1], peak_mb=1.0, process_cpu_s=1.0)
    first = accounts.moments(tmp_path / "account", "first_chunk")[0]["at"]
    assert result.events == 10
    assert result.detail["buckets"] == {"accepted": 8, "duplicate": 2}
    assert result.detail["rows"] == 7
    assert 0.25 <= result.seconds <= committed - first + 0.25


def test_a_line_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "account").write_bytes(b'{"moment":"ready"}\n{"mom')
    assert accounts.read(tmp_path / "account") == [{"moment": "ready"}]


def test_a_run_with_other_counts_than_the_simulator_has_no_speed() -> None:
    truth = {"accepted": 900, "duplicate": 90, "dead_letter": 7, "test_traffic": 3}
    wanted = msgspec.structs.replace(RESULT, detail=truth)
    check_counts(msgspec.structs.replace(RESULT, detail={"buckets": dict(truth)}), wanted)
    off_by_one = {**truth, "accepted": 899, "duplicate": 91}
    with pytest.raises(Wrong, match="899"):
        check_counts(msgspec.structs.replace(RESULT, detail={"buckets": off_by_one}), wanted)


def test_slices_keep_every_record_and_the_order_within_a_topic_and_partition() -> None:
    records = [SimRecord(("cart", "click")[n % 2], b"k%d" % (n % 5), b"%d" % n, 1) for n in range(250)]
    cut = list(slices(records, 3, 100))
    assert len(cut) == 3
    for topic in ("cart", "click"):
        for partition in range(3):
            values = [
                int(record.value or b"")
                for chunks in cut
                for number, name, chunk in chunks
                if (number, name) == (partition, topic)
                for record in chunk
            ]
            assert values == sorted(values)
    assert sum(len(chunk) for chunks in cut for _, _, chunk in chunks) == 250


def test_the_crowd_is_everybody_once_and_in_order() -> None:
    scenario = crowd_scenario(60, 2)
    bodies = [
        json.loads(record.value) for record in crowd(scenario, stamped_at_ms=1) if record.topic == "session"
    ]
    people = {body["customer_id"] for body in bodies}
    assert len(people) > 40  # visits without a session event are not looked at here
    assert all(record.timestamp_ms == 1 for record in crowd(scenario, stamped_at_ms=1))


def test_traffic_is_even_and_stamped_with_the_time_at_which_it_will_be_sent() -> None:
    task = TrafficTask(bootstrap="", prefix="", partitions=1, people=200, rate=500, seconds=2)
    made = ticks(task, END_MS)
    counts = [len(tick.records) for tick in made]
    assert sum(counts) == 1_000
    assert max(counts) - min(counts) <= 1
    assert made[20].records[0].timestamp_ms == END_MS + 1_000


def test_a_probe_is_an_event_that_the_pipeline_takes() -> None:
    key, value = probe(7, END_MS, "run")
    event = decode("session", value, {"acme": Store()})
    assert key == b"acme|probe-000007"
    assert (event.customer_id, event.occurred_at) == ("probe-000007", END_MS)


def test_latency_counts_from_the_send_and_knows_what_is_missing() -> None:
    probes = Probes()
    probes.sent = {0: 1.0, 1: 2.0, 2: 3.0}
    probes.seen = {0: 1.5, 2: 3.25}
    assert probes.oldest_unseen == 1
    assert probes.latencies(2.0, probes.seen) == [0.25]


def test_slope_is_mb_a_minute() -> None:
    assert slope([(0, 100), (30, 101), (60, 102)]) == pytest.approx(2)
    assert slope([(0, 100)]) == 0


def test_a_plan_follows_the_command_line() -> None:
    told = plan_of(arguments(["--only", "worker", "limit", "--events", "9000", "--quick"]))
    assert told.only == ("limit", "worker")
    assert told.events == 9_000
    assert told.people == quick(Plan()).people
    assert plan_of(arguments([])).is_whole
    assert not told.is_whole


def test_the_result_says_what_was_measured_and_not_where(tmp_path: Path) -> None:
    outcome = Outcome(
        rows=[
            Row(name="limit", what="limit", result=RESULT, runs=[1_900, 2_000]),
            Row(
                name="worker",
                what="worker",
                result=msgspec.structs.replace(RESULT, seconds=1.0),
                runs=[1_000],
            ),
        ],
        figures=[Figure(name="p99", value=1.234, unit="s", goal="<= 2 s", how="polled")],
    )
    header = report.header(Plan(), datetime(2026, 1, 2, tzinfo=UTC), 0.5)
    path = report.save(outcome, header, tmp_path)
    text = path.read_text()
    assert "| worker | 1,000 | 1.00 | 1,000 | 0.40 | 400.0 | 80 | 0.50 | 1.00 |" in text
    assert "| p99 | 1.23 s | <= 2 s | polled |" in text
    written = json.loads(path.with_suffix(".json").read_text())
    assert written["machine"].keys() == {"cores", "python", "system"}
    assert path.stem == f"2026-01-02-{report.commit()}"
    assert os.uname().nodename not in text
    assert str(tmp_path) not in text


async def test_a_broker_that_does_not_start_is_the_error_that_is_told_and_leaves_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(broker: KafkaBroker) -> Service:
        broker.log.parent.mkdir(parents=True)
        broker.log.write_text("no memory")
        raise LocalStackError("kafka ended with exit code 1")

    monkeypatch.setattr(KafkaBroker, "prepared", fails)
    told: list[str] = []
    for _ in range(2):
        with pytest.raises(LocalStackError, match="kafka ended"):
            await measure(Plan(), tmp_path, told.append, Outcome())
        assert (tmp_path / "failed-logs" / "kafka.log").read_text() == "no memory"
    assert told[-1].endswith(f"kept in {tmp_path / 'failed-logs'}")


def test_a_result_appears_whole(tmp_path: Path) -> None:
    write(tmp_path / "result.json", RESULT)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert msgspec.json.decode((tmp_path / "result.json").read_bytes(), type=PeerResult) == RESULT


def test_every_name_on_the_command_line_is_one_that_is_measured() -> None:
    source = (Path(report.__file__).parent / "run.py").read_text()
    assert [name for name in NAMES if f'"{name}"' not in source] == []


def test_keys_are_counted_by_their_last_record_and_by_partition() -> None:
    counting = Counting()

    def epoch(state: dict[bytes, Stored | None], seen: list[Seen], expired: list[bytes]) -> None:
        made = Epoch(b"", state, seen, {}, [], 0)
        counting.take(0, encode_epoch(made, number=1, offsets={}, expired=expired))
        counting.take(1, encode_epoch(made, number=1, offsets={}, expired=expired))

    epoch({b"ann": Stored(0, b"1"), b"bob": Stored(0, b"1")}, [Seen(7, bytes(48)), Seen(8, bytes(16))], [])
    assert counting.counted() == StateKeys(keys=4, seen=8)
    epoch({b"ann": Stored(0, b"2"), b"bob": None}, [], [seen_key(7, 1, 0)])
    assert counting.counted() == StateKeys(keys=2, seen=2)
