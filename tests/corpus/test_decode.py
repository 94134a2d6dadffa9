"""Every kind of the corpus through the decoder alone: the verdict that the contract gives it, and a size worth having."""

from collections import Counter

import pytest

from schemas.events.decode import decode
from schemas.reasons import Reason, Rejected
from schemas.stores import Store
from tests.corpus.all_kinds import KINDS
from tests.corpus.kind import ACCEPTED, DEAD, TEST, Kind

NOW_MS = 1_767_262_860_000
STORES = {"acme": Store(), "tokyo": Store(currency="JPY")}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_gets_the_verdict_of_the_contract(kind: Kind) -> None:
    value = kind.bytes_of(now_ms=NOW_MS, event_id="e1", who="d1")
    try:
        event = decode(kind.topic, value, STORES)
        found = (TEST if event.is_test else ACCEPTED, "", "")
    except Rejected as rejected:
        found = (DEAD, rejected.reason.value, rejected.field)
    assert found == (kind.bucket, kind.reason, kind.field)


def test_the_corpus_is_large_has_every_reason_and_no_name_twice() -> None:
    names = Counter(kind.name for kind in KINDS)
    assert [name for name, count in names.items() if count > 1] == []
    assert sum(kind.bucket == DEAD for kind in KINDS) >= 200
    # The others depend on when a record comes, and are sent in `test_real`.
    others = {Reason.IN_FUTURE, Reason.TOO_LATE, Reason.SKIPPED}
    assert {kind.reason for kind in KINDS if kind.reason} == {reason.value for reason in Reason} - others
    assert {kind.topic for kind in KINDS} == {
        "session",
        "impression",
        "click",
        "cart",
        "order",
        "journey-node",
    }
