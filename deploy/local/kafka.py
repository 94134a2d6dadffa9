"""The local Kafka broker: the real one, KRaft, one node, on loopback, below one directory.

`prepare` does all that is done before the process starts (jars, Java, ports, storage) and gives the service that the
supervisor runs; `prepared` does it beside an event loop. Several nodes, or another listener protocol, are a matter of
`node_id`, `voters` and `properties`.
"""

import asyncio
import base64
import subprocess
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import archive, ports
from deploy.local.errors import LocalStackError
from deploy.local.jars import Progress, kafka_jars, quiet
from deploy.local.java import Java, find_java
from deploy.local.kafka_jvm import KafkaJvm
from deploy.local.service import Service

DEFAULT_PORT = 9092
READY_SECONDS = 60.0  # takes 3 to 5 s; a machine at its limits gets the benefit of the doubt
STOP_SECONDS = 15.0  # takes 0.6 s; flushing much data takes longer, and what SIGKILL cuts off is recovered
PROBE_TIMEOUT_MS = 2_000
MEBIBYTE = 1_048_576


class _GivenUp(Exception):
    """Ends a preparation that nobody waits for any more."""


@dataclass(frozen=True)
class KafkaBroker:
    """One node. Ports are final here: `KafkaBroker.on` chooses free ones."""

    data: Path
    port: int
    controller_port: int
    host: str = ports.LOOPBACK
    node_id: int = 1
    # Controllers by node id, as "host:port"; empty: this node alone.
    voters: Mapping[int, str] = field(default_factory=dict)
    heap_mb: int = 512
    # Only the JVM's quick compiler: half the CPU time for a start, and for the first 300,000 records too. The other
    # compiler pays for itself only under load that goes on for many minutes.
    quick_start: bool = True
    # Laid over the properties below; None removes one.
    properties: Mapping[str, str | None] = field(default_factory=dict)
    # Settings a client needs to talk to it (security), as aiokafka names them.
    client: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def on(
        cls, data: Path, *, port: int = DEFAULT_PORT, controller_port: int = 0, **more: Any
    ) -> "KafkaBroker":
        """A broker whose data is below `data`; a port of 0 stands for a free one."""
        return cls(
            data=data.absolute(),
            port=port or ports.free_port(),
            controller_port=controller_port or ports.free_port(),
            **more,
        )

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def controller(self) -> str:
        """This node as an entry of `voters`."""
        return f"{self.host}:{self.controller_port}"

    @property
    def log(self) -> Path:
        return self.data / "logs" / "kafka.log"

    @property
    def storage(self) -> Path:
        return self.data / "kafka" / "data"

    def prepare(
        self, progress: Progress = quiet, *, cluster_id: str | None = None, use_archive: bool = True
    ) -> Service:
        """Do all that comes before the start, and give the service to start. Blocks; seconds, or longer the first time.

        Fetches jars, makes the start-up archive, checks the ports, formats the storage: each only if needed, and told
        to `progress` before it begins. The nodes of one cluster need the same `cluster_id`.
        Raises JarsUnavailable, JavaMissing, PortBusy, LocalStackError.
        """
        java, jars = find_java(), kafka_jars(progress)
        flags: list[str] = []
        if use_archive:
            path = archive.archive_path(java, jars, archive.cache_directory())
            if not path.exists():
                progress("preparing quick starts (first time only)")
                self._make_archive(java, jars, path, progress)
            flags = archive.archive_flags(path)
        ports.require_free(self.port, self.host, purpose="Kafka", option="--kafka-port")
        ports.require_free(
            self.controller_port, self.host, purpose="Kafka's controller", option="--controller-port"
        )
        if self.quick_start:
            flags.append(archive.QUICK)
        jvm = KafkaJvm(java, jars, self.data / "kafka", self.heap_mb, flags)
        jvm.configure(self.server_properties())
        if not (self.storage / "meta.properties").exists():
            progress("formatting the storage")
            jvm.format(cluster_id or new_cluster_id())
        return Service(
            name="kafka" if not self.voters else f"kafka-{self.node_id}",
            argv=tuple(jvm.server()),
            log=self.log,
            ready=self.is_ready,
            ready_seconds=READY_SECONDS,
            stop_seconds=STOP_SECONDS,
        )

    async def prepared(self, progress: Progress = quiet) -> Service:
        """`prepare` in a thread. Cancelled, it ends when the thread does, which begins no further step.

        A thread can't be cancelled: left alone it would go on in a directory that its owner has unlocked meanwhile.
        """
        is_over = threading.Event()

        def told(text: str) -> None:
            if is_over.is_set():
                raise _GivenUp
            progress(text)

        preparing = asyncio.ensure_future(asyncio.to_thread(self.prepare, told))
        try:
            return await asyncio.shield(preparing)
        finally:
            is_over.set()
            await asyncio.wait({preparing})

    async def is_ready(self) -> bool:
        """Whether it answers a metadata request and names a broker to talk to."""
        from aiokafka.client import AIOKafkaClient
        from aiokafka.errors import KafkaError

        if not await _accepts(self.host, self.port):
            return False  # aiokafka would log an error for each look at a broker that is just starting
        client = AIOKafkaClient(
            bootstrap_servers=self.bootstrap, request_timeout_ms=PROBE_TIMEOUT_MS, **self.client
        )
        try:
            await client.bootstrap()
            return bool(client.cluster.brokers())
        except KafkaError:
            return False
        finally:
            await client.close()

    def server_properties(self) -> dict[str, str]:
        """The broker's configuration."""
        voters = self.voters or {self.node_id: self.controller}
        replicas = str(min(3, len(voters)))
        properties: dict[str, str | None] = {
            "process.roles": "broker,controller",
            "node.id": str(self.node_id),
            # A static quorum: its addresses stand here and not in the storage, so that ports may change between starts.
            "controller.quorum.voters": ",".join(
                f"{node}@{address}" for node, address in sorted(voters.items())
            ),
            "listeners": f"CLIENT://{self.bootstrap},CONTROLLER://{self.controller}",
            "advertised.listeners": f"CLIENT://{self.bootstrap}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "CLIENT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.storage),
            # A misspelt topic must be an error, not a new topic with one partition.
            "auto.create.topics.enable": "false",
            # Few: each is a set of files to make at first use and to open at each start. The defaults are 50.
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.num.partitions": "1",
            # Only closed segments are compacted, and all of it is read at each start. After a kill the partition gets
            # two leader epochs about a second apart; a coordinator that still reads for the first when the second
            # comes takes its own writes for foreign ones, reads again and again, and may fail for good.
            "offsets.topic.segment.bytes": str(MEBIBYTE),
            "transaction.state.log.segment.bytes": str(MEBIBYTE),
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": "1" if len(voters) < 3 else "2",
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": "1",
            # After a kill the node may register again only when its last session has run out: the default is 9 s.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "group.initial.rebalance.delay.ms": "0",
            # Taken from the heap whole, at the start; the default of 128 MB is a quarter of it.
            "log.cleaner.dedupe.buffer.size": str(16 * MEBIBYTE),
            "num.network.threads": "2",
            "num.io.threads": "4",
        }
        properties.update(self.properties)
        return {name: value for name, value in properties.items() if value is not None}

    def _make_archive(self, java: Java, jars: Sequence[Path], path: Path, progress: Progress) -> None:
        def train(flags: Sequence[str], scratch: Path) -> None:
            broker = KafkaBroker.on(scratch, port=0)
            jvm = KafkaJvm(java, jars, scratch, broker.heap_mb, flags)
            jvm.configure(broker.server_properties())
            jvm.format(new_cluster_id())
            jvm.up_and_down()
            progress("writing the archive for quick starts")

        try:
            archive.make_archive(java, jars, path, train=train)
        except (LocalStackError, OSError, subprocess.SubprocessError) as error:
            # Only speed is lost: a start must not fail for that.
            progress(f"no quick starts: {type(error).__name__}: {error}")


def new_cluster_id() -> str:
    """A cluster id in the form Kafka wants: a random UUID in 22 characters of URL-safe base64."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # One in 64 begins with a dash, and every command line it is given to takes it for an option.
        if not text.startswith("-"):
            return text


async def _accepts(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
