"""A stack on the default ports starts its own processes while it is still starting."""

from pathlib import Path

import pytest

from deploy.cli.exits import CommandError
from deploy.cli.found import here
from deploy.local.lock import DataLock


def test_a_process_of_the_stack_is_not_told_to_wait_for_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The addresses that the supervisor hands over are the defaults, so they can't be told from none.
    monkeypatch.setenv("SHOPMETER_KAFKA__BOOTSTRAP", "127.0.0.1:9092")
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__URL", "http://127.0.0.1:8123")
    with DataLock(tmp_path):
        assert here(tmp_path, starting=True).settings.kafka.bootstrap == "127.0.0.1:9092"
        with pytest.raises(CommandError, match="still starting"):
            here(tmp_path)
