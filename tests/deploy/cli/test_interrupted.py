"""Ctrl-C while a stack starts for the first time: it ends, and leaves nothing that works in the directory."""

import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.deploy.cli.running import COMMAND, UP_SECONDS, clean_environment, survivors

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.timeout(600)]


def test_ctrl_c_during_the_first_start_begins_no_further_step(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    said = tmp_path / "said.txt"
    environment = {**clean_environment(), "XDG_CACHE_HOME": str(cache)}
    with (
        said.open("w") as output,
        subprocess.Popen(
            [*COMMAND, "up", "--free-ports"], cwd=tmp_path, env=environment, stdout=output, stderr=output
        ) as process,
    ):
        try:
            deadline = time.monotonic() + UP_SECONDS
            # The broker is being started to learn which classes it loads.
            while not list(cache.glob("shopmeter/kafka-archive-*/classes")):
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            code = process.wait(UP_SECONDS)
        finally:
            process.kill()
    assert code == 0, said.read_text()
    assert "Traceback" not in said.read_text()
    assert survivors(family) == []
    # Neither the archive nor anything of the broker: what came next was not begun.
    assert [path.suffix for path in (cache / "shopmeter").iterdir()] == [".lock"]
    assert not (tmp_path / ".shopmeter" / "kafka").exists()
