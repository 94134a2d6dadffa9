"""The whole pipeline over SASL_SSL and HTTPS; wrong certificates, passwords and plain connections are refused."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from deploy.local.kafka import KafkaBroker
from deploy.query import Server, Unreachable, rows, server_of
from deploy.send import read_files, send
from deploy.simulator.produce import load_history
from streams.lag import LagReader
from streams.settings import KafkaSettings, Settings
from streams.topics import check_topics
from tests.deploy.cli.running import shopmeter
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.fixtures.kafka import running_broker
from tests.kafka.campaign.shops import small_history
from tests.kafka.pipeline_kit import environment, installation
from tests.security.certificates import (
    PASSWORD,
    Identity,
    encrypted,
    has_openssl,
    make_identity,
    server_context,
)

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

USER, SECRET = "pipeline", "s3cret-of-the-pipeline"


def broker_options(identity: Identity) -> dict[str, Any]:
    """A broker that talks to nobody, itself included, but over TLS and with a password."""
    listener = "listener.name.client"
    login = (
        'org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="of-brokers"'
        f' user_broker="of-brokers" user_{USER}="{SECRET}";'
    )
    stores = {f"{listener}.ssl.{kind}store.location": str(identity.store) for kind in ("key", "trust")}
    return {
        "properties": {
            "listener.security.protocol.map": "CLIENT:SASL_SSL,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            f"{listener}.plain.sasl.jaas.config": login,
            **stores,
            f"{listener}.ssl.keystore.password": PASSWORD,
            f"{listener}.ssl.key.password": PASSWORD,
            f"{listener}.ssl.truststore.password": PASSWORD,
        },
        "client": {
            "security_protocol": "SASL_SSL",
            "ssl_context": ssl.create_default_context(cafile=str(identity.certificate)),
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": USER,
            "sasl_plain_password": SECRET,
        },
    }


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return make_identity(tmp_path_factory.mktemp("tls") / "broker")


@pytest.fixture(scope="module")
def broker(identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with running_broker(tmp_path_factory.mktemp("secure"), **broker_options(identity)) as running:
        yield running


@pytest.fixture
def security(identity: Identity, tmp_path: Path) -> dict[str, str]:
    """Settings of the section `kafka`; the password stands in a file."""
    file = tmp_path / "password"
    file.write_text(SECRET + "\n")
    return {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_username": USER,
        "sasl_password_file": str(file),
        "ssl_cafile": str(identity.certificate),
    }


@pytest.mark.clickhouse
async def test_every_part_works_over_encrypted_connections_alone(
    broker: KafkaBroker,
    identity: Identity,
    security: dict[str, str],
    clickhouse: ClickHouseEndpoint,
    tmp_path: Path,
) -> None:
    if not has_openssl():
        pytest.skip("no openssl here, which takes the key out of keytool's store")
    scenario, _, _ = small_history(visits=1)
    async with encrypted(clickhouse.port, server_context(identity)) as port:
        url = f"https://127.0.0.1:{port}"
        directory = tmp_path / "data"
        async with installation(
            broker.bootstrap, url, directory, scenario.settings(), security=security
        ) as shop:
            settings = shop.settings
            assert await check_topics(settings) == []
            await load_history(scenario, settings.kafka_client_options(), settings.topics)
            worker, sink = await shop.worker(), await shop.sink()
            line = json.dumps({"topic": settings.topics.source("click"), "value": {"store_id": "acme"}})
            (tmp_path / "line.jsonl").write_text(line)
            await send(settings, read_files([tmp_path / "line.jsonl"], settings.topics))
            visible = await shop.exact()
            assert visible.rows["sessions"]
            async with LagReader(settings) as lag:
                assert [group.max_seconds(0) for group in await lag.measure()] == [0.0, 0.0]
            assert await asking(server_of(settings)) == [[1]]
            secured = {f"SHOPMETER_KAFKA__{name.upper()}": value for name, value in security.items()}
            env = environment(settings) | secured
            env["SHOPMETER_CLICKHOUSE__CA_FILE"] = str(identity.certificate)
            said = []
            for command in (
                ("topics", "check"),
                ("audit", "conservation"),
                ("dead-letters", "replay", "--dry-run"),
                ("wait",),
                ("doctor", "--free-gb", "0"),
            ):
                done = await beside(tmp_path, *command, env=env)
                said.append(done.stdout + done.stderr)
                assert done.returncode == 0 or command[0] == "doctor", done.stderr
            assert await worker.leave() == 0
            assert await sink.leave() == 0
            logs = worker.log.read_text() + sink.log.read_text()
            assert SECRET not in logs + "".join(said)
            with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
                await asking(server_of(settings)._replace(ca_file=""))


async def asking(server: Server) -> list[list[Any]]:
    """Whether the ledger has rows, asked while the proxy of this loop goes on."""
    return await asyncio.to_thread(rows, server, "SELECT count() > 0 FROM ledger")


async def beside(directory: Path, *command: str, env: dict[str, str]) -> Any:
    """A command, while the proxy of this loop goes on."""
    return await asyncio.to_thread(shopmeter, directory, *command, env=env)


@pytest.mark.parametrize("wrong", ["password", "authority", "name", "plain"])
async def test_a_client_that_is_not_as_it_must_be_is_refused(
    broker: KafkaBroker, security: dict[str, str], tmp_path: Path, wrong: str
) -> None:
    bootstrap = broker.bootstrap
    if wrong == "password":
        security = {**security, "sasl_password": "guessed"}
        del security["sasl_password_file"]
    elif wrong == "authority":
        security["ssl_cafile"] = str(make_identity(tmp_path / "other").certificate)
    elif wrong == "name":
        bootstrap = bootstrap.replace("127.0.0.1", "localhost")  # the certificate is of the address alone
    else:
        security = {}
    settings = Settings(kafka=KafkaSettings.model_validate({"bootstrap": bootstrap, **security}))
    with pytest.raises((KafkaError, OSError)) as refused:
        await check_topics(settings)
    assert SECRET not in str(refused.value)
