"""The broker's JVM: its command line, its configuration files, and the formatting of its storage."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import LocalStackError, ServiceFailed
from deploy.local.java import Java
from deploy.local.process import bound, describe_exit

SERVER = "kafka.Kafka"
STORAGE_TOOL = "kafka.tools.StorageTool"
STARTED = "Kafka Server started"  # the broker's own line, once it is up

FORMAT_SECONDS = 60.0  # takes 2 s
TRAINING_SECONDS = 90.0  # takes 5 s

LOG_CONFIG = """\
# Written at each start. Everything goes to the output, which is the service's log, with what the JVM itself says.
Configuration:
  status: WARN
  Appenders:
    Console:
      name: output
      PatternLayout:
        pattern: "%d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %m (%c{1})%n"
  Loggers:
    Root:
      level: INFO
      AppenderRef:
        - ref: output
"""


@dataclass(frozen=True)
class KafkaJvm:
    """A way to run Kafka's programs with one configuration, kept below `directory`."""

    java: Java
    jars: Sequence[Path]
    directory: Path
    heap_mb: int = 512
    flags: Sequence[str] = ()

    @property
    def properties_file(self) -> Path:
        return self.directory / "server.properties"

    def configure(self, properties: Mapping[str, str]) -> None:
        """Write the broker's and its log's configuration, readable by the owner alone: it may hold passwords."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._temporary.mkdir(exist_ok=True)
        self._log_config.write_text(LOG_CONFIG)
        self.properties_file.touch(mode=0o600)
        self.properties_file.write_text(
            "".join(f"{name}={_escaped(value)}\n" for name, value in sorted(properties.items()))
        )

    def server(self) -> list[str]:
        """The command that is the broker."""
        return self._command(SERVER, str(self.properties_file))

    def format(self, cluster_id: str) -> None:
        """Make the storage ready for a first start; LocalStackError with what the tool said if that fails."""
        command = self._command(STORAGE_TOOL, "format", "-t", cluster_id, "-c", str(self.properties_file))
        done = subprocess.run(
            bound(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=FORMAT_SECONDS,
        )
        if done.returncode != 0:
            raise LocalStackError(
                f"{self.directory}: Kafka's storage could not be formatted "
                f"({describe_exit(done.returncode)}):\n{done.stdout.strip()}"
            )

    def up_and_down(self) -> None:
        """Run the broker until it is up, and end it in order; ServiceFailed if it does not get there."""
        said: list[str] = []
        with subprocess.Popen(
            bound(self.server()), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
        ) as broker:
            assert broker.stdout is not None
            with _killed_after(TRAINING_SECONDS, broker):
                for line in broker.stdout:
                    said.append(line)
                    if STARTED in line:
                        broker.terminate()
        if not any(STARTED in line for line in said):
            raise ServiceFailed(
                f"kafka: {describe_exit(broker.returncode)}; it said:\n{''.join(said[-12:])}", service="kafka"
            )

    @property
    def _temporary(self) -> Path:
        return self.directory / "tmp"

    @property
    def _log_config(self) -> Path:
        return self.directory / "log4j2.yaml"

    def _command(self, main_class: str, *arguments: str) -> list[str]:
        return [
            str(self.java.executable),
            f"-Xmx{self.heap_mb}m",
            # One collecting thread: on few cores a concurrent collector takes from the workers beside it.
            "-XX:+UseSerialGC",
            # A broker that goes on after this serves errors; dead, it is started again or reported.
            "-XX:+ExitOnOutOfMemoryError",
            "--enable-native-access=ALL-UNNAMED",
            "-Djava.awt.headless=true",
            # The compression libraries unpack themselves here; in /tmp each kill would leave some megabytes.
            f"-Djava.io.tmpdir={self._temporary}",
            f"-Dlog4j2.configurationFile={self._log_config.as_uri()}",
            *self.flags,
            *["-cp", os.pathsep.join(map(str, self.jars))],
            main_class,
            *arguments,
        ]


@contextlib.contextmanager
def _killed_after(seconds: float, process: subprocess.Popen[str]) -> Iterator[None]:
    """Kill the process if the block takes longer, or ends with an error."""
    alarm = threading.Timer(seconds, process.send_signal, [signal.SIGKILL])
    alarm.start()
    try:
        yield
    except BaseException:
        process.kill()
        raise
    finally:
        alarm.cancel()
        alarm.join()


def _escaped(value: str) -> str:
    """A value in the syntax of Java's properties files, where a backslash or a line's end would be lost."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")
