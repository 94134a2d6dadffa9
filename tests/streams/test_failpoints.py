"""Failpoints: nothing without the variable, exactly the one time with it, and no misspelt place."""

import pytest

from streams import failpoints
from streams.settings import load_settings


def test_without_the_variable_a_place_does_nothing() -> None:
    assert failpoints.arm("") is failpoints._nothing
    assert failpoints.reach is failpoints._nothing


def test_a_place_fails_at_its_time_and_only_then() -> None:
    reach = failpoints.arm("epoch.sent=raise@3, restore.batch=raise")
    for _ in range(2):
        reach("epoch.sent")
        reach("epoch.begun")
    with pytest.raises(failpoints.FailpointReached, match=r"epoch.sent, time 3"):
        reach("epoch.sent")
    reach("epoch.sent")
    with pytest.raises(failpoints.FailpointReached):
        reach("restore.batch")


@pytest.mark.parametrize(
    "text", ["epoch.snet=kill", "epoch.sent=explode", "epoch.sent=kill@soon", "epoch.sent"]
)
def test_what_is_misspelt_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="places are"):
        failpoints.arm(text)


def test_a_process_with_the_variable_still_has_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, "epoch.sent=kill@7")
    load_settings()
