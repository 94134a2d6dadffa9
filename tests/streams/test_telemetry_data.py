"""The declared signals keep the rules; a declaration that breaks one does not import."""

import pytest

from schemas.telemetry import FILE, LABELS, SIGNALS, BadSignal, Kind, Role, Signal, checked, rendered_files

GOOD = Signal("shopmeter_commit_seconds", Kind.HISTOGRAM, "seconds", (Role.WORKER,), "One.", (), (1.0, 2.0))
COUNTER = Signal("shopmeter_rows_total", Kind.COUNTER, "rows", (Role.WORKER,), "Rows.", ("table",))


@pytest.mark.parametrize(
    ("signal", "rule"),
    [
        (GOOD._replace(name="commit_seconds"), "begin with"),
        (GOOD._replace(name="shopmeter_Commit_seconds"), "lower-case"),
        (GOOD._replace(name="shopmeter_commit_ms"), "base units"),
        (GOOD._replace(name="shopmeter_state_megabytes", unit="bytes"), "base units"),
        (GOOD._replace(unit="minutes"), "unknown unit"),
        (GOOD._replace(unit="bytes"), "signals in seconds"),
        (GOOD._replace(name="shopmeter_commit_bytes"), "signals in"),
        (GOOD._replace(name="shopmeter_commit_seconds_total"), "_total"),
        (GOOD._replace(buckets=()), "histograms have buckets"),
        (GOOD._replace(buckets=(2.0, 1.0)), "ascend"),
        (GOOD._replace(labels=("store",)), "unknown label store"),
        (GOOD._replace(labels=("table", "table")), "twice"),
        (GOOD._replace(roles=()), "no process"),
        (GOOD._replace(help="One"), "sentence"),
        (COUNTER._replace(name="shopmeter_rows"), "_total"),
        (COUNTER._replace(buckets=(1.0,)), "histograms have buckets"),
        (COUNTER._replace(kind=Kind.GAUGE, name="shopmeter_rows_sum"), "Prometheus itself"),
    ],
)
def test_a_signal_that_breaks_a_rule_is_refused_by_name(signal: Signal, rule: str) -> None:
    with pytest.raises(BadSignal, match=rule) as refused:
        checked([GOOD._replace(name="shopmeter_other_seconds"), signal])
    assert str(refused.value).startswith(signal.name)


def test_a_signal_declared_twice_is_refused() -> None:
    with pytest.raises(BadSignal, match="declared twice"):
        checked([GOOD, GOOD])


def test_the_good_ones_pass() -> None:
    assert list(checked([GOOD, COUNTER])) == [GOOD.name, COUNTER.name]


def test_no_label_can_name_a_shop_a_person_or_a_product() -> None:
    assert not {"store", "store_id", "person", "customer", "product", "tenant", "session"} & LABELS.keys()


def test_every_label_is_used() -> None:
    assert {label for signal in SIGNALS.values() for label in signal.labels} == LABELS.keys()


def test_the_page_names_every_signal_once() -> None:
    page = rendered_files()[FILE]
    for name in SIGNALS:
        assert page.count(f"| `{name}` |") == 1, name
