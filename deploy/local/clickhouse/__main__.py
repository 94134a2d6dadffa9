"""`python -m deploy.local.clickhouse --data DIR --port N`: the endpoint as a process of its own.

Prints one line of JSON when it answers (`url`, `host`, `port`, `reader_url`, `reader_port`, `pid`, `version`).
Ends on SIGTERM or SIGINT (or the end of stdin, if asked) within 5 s with 0.
Exits 3 if the directory is in use, 4 if a port is.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

from deploy.local.clickhouse.engine import DEFAULT_MEMORY_BYTES, Engine, Locked
from deploy.local.clickhouse.guard import Side
from deploy.local.clickhouse.server import Endpoint, listen

EXIT_LOCKED = 3
EXIT_PORT = 4

# SIGTERM to exit takes at most 5 s: this much for queries to finish, half of it again after they were told to stop.
DRAIN_SECONDS = 2.0
CLOSE_SECONDS = 1.5

_LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.clickhouse", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the engine's directory; made if missing")
    parser.add_argument("--port", type=int, default=8123, help="everything; 0 takes a free one")
    parser.add_argument("--reader-port", type=int, help="read-only for everybody; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; there are no passwords")
    parser.add_argument(
        "--memory-bytes", type=int, default=DEFAULT_MEMORY_BYTES, help="bound of all queries together"
    )
    parser.add_argument(
        "--stop-with-stdin", action="store_true", help="end when standard input does (a pipe)"
    )
    return parser.parse_args()


async def _serve(engine: Engine, arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if arguments.stop_with_stdin:
        # A starter that is killed cannot send a signal; the pipe it held closes all the same.
        loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 4096) else stop.set())
    host = arguments.host
    endpoint = Endpoint(engine) if host in _LOOPBACK_HOSTS else Endpoint(engine, allowed_hosts=None)
    shown = f"[{host}]" if ":" in host else host
    runner, port = await listen(endpoint, host, arguments.port, Side.FULL)
    runners = [runner]
    ready: dict[str, object] = {"url": f"http://{shown}:{port}", "host": host, "port": port}
    if arguments.reader_port is not None:
        runner, port = await listen(endpoint, host, arguments.reader_port, Side.READER)
        runners.append(runner)
        ready |= {"reader_url": f"http://{shown}:{port}", "reader_port": port}
    print(json.dumps({**ready, "pid": os.getpid(), "version": engine.version}), flush=True)
    await stop.wait()
    for runner in runners:
        for site in list(runner.sites):
            await site.stop()
    await endpoint.drain(DRAIN_SECONDS)
    for runner in runners:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(runner.cleanup(), 0.5)


def main() -> None:
    """Run until told to stop; never returns."""
    arguments = _arguments()
    try:
        engine = Engine(arguments.data, memory_bytes=arguments.memory_bytes)
    except Locked as error:
        print(f"clickhouse: {error}", file=sys.stderr)
        sys.exit(EXIT_LOCKED)
    code = 0
    try:
        asyncio.run(_serve(engine, arguments))
    except OSError as error:
        print(
            f"clickhouse: cannot listen: {error}; choose another port, or 0 for a free one", file=sys.stderr
        )
        code = EXIT_PORT
    # A query that does not stop must not hold up the end: what is written is safe without a clean close.
    closing = threading.Thread(target=engine.close, daemon=True)
    closing.start()
    closing.join(CLOSE_SECONDS)
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
