"""The end of the process: one line, whatever it was, and nothing after it."""

import subprocess
import sys

from streams.engine.fatal import EXIT_FATAL

SCRIPT = """
import atexit
from streams.engine.fatal import exit_now

atexit.register(print, "cleaned up")
try:
    error = KeyError("price")
    error.add_note("offset 17")
    raise error
except KeyError as error:
    exit_now("order/3: processing offsets 10 to 20 failed", error)
"""


def test_the_line_names_the_record_and_nothing_is_cleaned_up() -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert ended.returncode == EXIT_FATAL
    assert ended.stdout == ""
    line = "fatal: order/3: processing offsets 10 to 20 failed: KeyError: 'price' (offset 17); exit 70, nothing more"
    assert ended.stderr.strip() == f"{line} is committed"
