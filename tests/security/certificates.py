"""A certificate for loopback that signs itself, made by the keytool of the Java that runs the broker."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from deploy.local.java import find_java

PASSWORD = "of-a-test-only"
_SECONDS = 60


class Identity(NamedTuple):
    """A key with its certificate: `store` for Java, `certificate` for whoever has to trust it."""

    store: Path
    certificate: Path


def make_identity(directory: Path, *, host: str = "127.0.0.1") -> Identity:
    """For this address, in new files below the directory."""
    directory.mkdir(parents=True)
    keytool = find_java().executable.with_name("keytool")
    store, certificate = directory / "identity.p12", directory / "certificate.pem"

    def run(*arguments: str) -> None:
        common = ["-keystore", str(store), "-storepass", PASSWORD, "-storetype", "PKCS12"]
        subprocess.run([str(keytool), *arguments, *common], check=True, capture_output=True, timeout=_SECONDS)

    run(
        *("-genkeypair", "-alias", "broker", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "2"),
        *("-dname", f"CN={host}", "-ext", f"SAN=ip:{host}", "-ext", "bc:c=ca:true"),
        *("-ext", "ku:c=digitalSignature,keyCertSign"),
    )
    run("-exportcert", "-rfc", "-alias", "broker", "-file", str(certificate))
    # A store with a key alone is trusted by no Java: the broker is a client of itself too.
    run("-importcert", "-noprompt", "-alias", "trusted", "-file", str(certificate))
    return Identity(store, certificate)


def has_openssl() -> bool:
    """Keytool gives no key away; openssl does."""
    return shutil.which("openssl") is not None


def server_context(identity: Identity) -> ssl.SSLContext:
    """What a server in Python shows of this identity."""
    key = identity.store.with_name("key.pem")
    command = ["openssl", "pkcs12", "-in", str(identity.store), "-nodes", "-nocerts", "-out", str(key)]
    subprocess.run(
        [*command, "-passin", f"pass:{PASSWORD}"], check=True, capture_output=True, timeout=_SECONDS
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, key)
    return context


@asynccontextmanager
async def encrypted(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """A TLS port before a plain one on loopback, as a load balancer has it."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection("127.0.0.1", port)
        # The end of the test ends it; asyncio takes a cancelled handler for an error, and logs it.
        with suppress(asyncio.CancelledError):
            await asyncio.gather(pump(reader, downstream), pump(upstream, writer))

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with server:
        yield int(server.sockets[0].getsockname()[1])
