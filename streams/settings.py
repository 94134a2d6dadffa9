"""Every setting of worker and sink: from the environment (`SHOPMETER_KAFKA__BOOTSTRAP`), then a TOML file, then defaults.

The file is `shopmeter.toml` in the working directory, or the one that `SHOPMETER_CONFIG` names. Units are in the
names. Secrets are `SecretStr`: no repr, log line or error message shows them.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from aiokafka.helpers import create_ssl_context
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from processors.breaker import Bounds
from schemas.rates import Rate, RateKey, RatesError, parse_rates
from schemas.stores import Store, StoresError, parse_stores
from schemas.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Topics
from streams import failpoints
from streams.logs import LogFormat

ENV_PREFIX: Final = "SHOPMETER_"
CONFIG_VARIABLE: Final = "SHOPMETER_CONFIG"
DEFAULT_CONFIG: Final = "shopmeter.toml"

Positive = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100)]


class SettingsError(ValueError):
    """Settings that can't be used. One line for each wrong field, none with a value in it."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _with_secret_of_file(values: Any, name: str) -> Any:
    """The section's values with the secret that its file holds. ValueError names the file, never what is in it."""
    file = values.get(f"{name}_file") if isinstance(values, dict) else None
    if not file:
        return values
    try:
        secret = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}_file: {file} can't be read: {type(error).__name__}") from None
    given = values.get(name)
    given = given.get_secret_value() if isinstance(given, SecretStr) else given
    if given and given != secret:
        raise ValueError(f"give either {name} or {name}_file")
    return {**values, name: secret}


class KafkaSettings(_Section):
    """How to reach Kafka."""

    bootstrap: str = "127.0.0.1:9092"
    """`host:port`, several with commas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."""
    sasl_username: str | None = None
    """Needed with SASL."""
    sasl_password: SecretStr | None = None
    """Needed with SASL, here or in a file; never printed."""
    sasl_password_file: Path | None = None
    """A file that holds the password, in place of `sasl_password`; an end of line behind it does not count."""
    ssl_cafile: Path | None = None
    """Certificates to trust instead of the system's."""

    @model_validator(mode="before")
    @classmethod
    def _reads_secrets(cls, values: Any) -> Any:
        return _with_secret_of_file(values, "sasl_password")

    @model_validator(mode="after")
    def _has_credentials(self) -> "KafkaSettings":
        if self.security_protocol.startswith("SASL") and (
            self.sasl_username is None or self.sasl_password is None
        ):
            raise ValueError(
                f"{self.security_protocol} needs sasl_username, and sasl_password or sasl_password_file"
            )
        return self


class ClickHouseSettings(_Section):
    """How to reach ClickHouse's HTTP interface."""

    url: str = "http://127.0.0.1:8123"
    """`http://host:port` or `https://...`; user and password have fields of their own."""
    database: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "shopmeter"
    """Of all tables and views."""
    username: str = "default"
    """Who inserts; see the roles in `deploy/clickhouse/access/roles.sql`."""
    password: SecretStr = SecretStr("")
    """Here or in a file; never printed."""
    password_file: Path | None = None
    """A file that holds the password, in place of `password`."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's."""

    @model_validator(mode="before")
    @classmethod
    def _reads_secrets(cls, values: Any) -> Any:
        return _with_secret_of_file(values, "password")

    @field_validator("url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        # A password inside the URL would be shown by every log line that names the URL.
        if "@" in url:
            raise ValueError("must not hold a user or password; use username and password")
        try:
            parts = urlsplit(url)
            is_whole = bool(parts.hostname) and parts.port != 0
        except ValueError as error:  # a port that is no number, or none that there is
            raise ValueError(f"is no URL: {error}") from None
        if not is_whole:
            raise ValueError("must name a host, and no port 0")
        return url.rstrip("/")


class WorkerSettings(_Section):
    """One worker process: its slot, its epochs, its state."""

    instance: Name = "0"
    """The static membership slot; a restart under the same name causes no rebalance. Unique among the workers."""
    state_dir: Path | None = None
    """By default `<data_dir>/state/<instance>`."""
    state_backend: Literal["rocksdb", "memory"] = "rocksdb"
    """`memory`: nothing on the disk, a start reads the whole changelog; for tests."""
    epoch_interval_ms: Positive = 500
    """Between two transactions of a partition, while it is not behind."""
    epoch_max_bytes: Positive = 16 * 1_048_576
    """About how much one partition buffers before its epoch is cut short."""
    commit_timeout_ms: Positive = 8_000
    """Without success for so long a worker ends; below the transaction timeout."""
    transaction_timeout_ms: Positive = 10_000
    """After so long the broker aborts what a lost worker left open; readers wait for it."""
    session_timeout_ms: Positive = 7_000
    """Without a heartbeat for so long, the group gives a worker's partitions to others."""
    heartbeat_ms: Positive = 2_000
    """Between two heartbeats: at most a third of the session timeout."""
    chunk_max_records: Positive = 2_000
    """So many records of a topic-partition are processed in one go at most."""
    idle_after_ms: Positive = 5_000
    """A topic that has been at its end for so long does not hold the watermark back."""
    alignment_ms: Positive = 3_600_000
    """While catching up, a topic this far (event time) ahead of the slowest waits."""
    breaker_window_records: Annotated[int, Field(ge=0)] = Bounds().window_records
    """The circuit breaker looks at so many recent records of a topic; 0: it never trips."""
    breaker_share: Annotated[float, Field(gt=0, le=1)] = Bounds().share
    """It trips when so much of the window is dead letters, of several stores."""
    breaker_run_records: Positive = Bounds().run_records
    """It trips after so many dead letters in a row, of several stores."""
    http_host: str = "127.0.0.1"
    """Where `/metrics`, `/live` and `/ready` listen."""
    http_port: Port = 0
    """0: a free one."""

    @model_validator(mode="after")
    def _times_fit(self) -> "WorkerSettings":
        # The broker must not abort a transaction that the worker still believes in.
        if self.commit_timeout_ms >= self.transaction_timeout_ms:
            raise ValueError("commit_timeout_ms must be below transaction_timeout_ms")
        if self.heartbeat_ms * 3 > self.session_timeout_ms:
            raise ValueError("session_timeout_ms must be at least three times heartbeat_ms")
        return self


class SinkSettings(_Section):
    """One sink process: how much it gathers before it inserts."""

    instance: Name = "0"
    """The static membership slot. Unique among the sinks: two of one name end each other."""
    # Two such batches are held at once, the one on its way and the next: of 50,000 rows they took 60 MB after an outage.
    batch_max_rows: Positive = 25_000
    """Rows of one insert at most."""
    batch_max_wait_ms: Positive = 500
    """Between two inserts, for the rows that come meanwhile."""
    http_host: str = "127.0.0.1"
    """Where `/metrics`, `/live` and `/ready` listen."""
    http_port: Port = 0
    """0: a free one."""


class Settings(BaseSettings):
    """All settings. Build it with `load_settings`, whose errors are readable."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
        use_attribute_docstrings=True,
    )

    application: Name = "shopmeter"
    """Consumer group, and the prefix of the changelog and of the transactional ids."""
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]*$", max_length=100)] = DEFAULT_PREFIX
    """Before the name of every topic but the application's own."""
    partitions: Annotated[int, Field(gt=0, le=10_000)] = DEFAULT_PARTITIONS
    """Of every topic: the six sources, the rows and the changelog share partition numbers. It can't be changed later."""
    replication_factor: Annotated[int, Field(gt=0, le=100)] = 1
    """Of every topic that `shopmeter topics create` makes: 3 where nothing may be lost with a broker."""
    data_dir: Path = Path(".shopmeter")
    """What the processes keep on the disk."""
    stores_file: Path = Path("stores.toml")
    """See stores.md."""
    rates_file: Path | None = None
    """What currencies are worth, for stores with a `reporting_currency`; by default `rates.csv` beside the stores."""
    log_format: LogFormat = "text"
    """How worker, sink and probe write their lines to stderr: for people, or one JSON object a line."""
    kafka: KafkaSettings = KafkaSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    worker: WorkerSettings = WorkerSettings()
    sink: SinkSettings = SinkSettings()

    @property
    def topics(self) -> Topics:
        """This installation's topic names."""
        return Topics(self.topic_prefix, self.application)

    @property
    def state_dir(self) -> Path:
        """Where this worker keeps its partitions' state."""
        return self.worker.state_dir or self.data_dir / "state" / self.worker.instance

    @property
    def breaker_bounds(self) -> Bounds:
        """When the worker's circuit breaker trips."""
        worker = self.worker
        return Bounds(worker.breaker_window_records, worker.breaker_share, worker.breaker_run_records)

    def kafka_client_options(self) -> dict[str, Any]:
        """Keyword arguments that every aiokafka client takes: where the brokers are and who we are. Holds secrets."""
        kafka = self.kafka
        options: dict[str, Any] = {
            "bootstrap_servers": kafka.bootstrap,
            "security_protocol": kafka.security_protocol,
        }
        if kafka.security_protocol.endswith("SSL"):
            options["ssl_context"] = create_ssl_context(
                cafile=str(kafka.ssl_cafile) if kafka.ssl_cafile else None
            )
        if kafka.security_protocol.startswith("SASL"):
            password = kafka.sasl_password
            options["sasl_mechanism"] = kafka.sasl_mechanism
            options["sasl_plain_username"] = kafka.sasl_username
            options["sasl_plain_password"] = password.get_secret_value() if password else None
        return options

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the TOML file."""
        file = Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)


def load_settings(**overrides: Any) -> Settings:
    """Settings from arguments, environment and file, in this order. Raises SettingsError, a line for each mistake."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).is_file():
        raise SettingsError(f"{CONFIG_VARIABLE}: there is no file {named}; make it or unset the variable")
    _refuse_unknown(os.environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        # `from None`: the original repeats the input, and with it passwords.
        raise SettingsError("\n".join(_line(item) for item in error.errors(include_input=False))) from None
    except ValueError as error:  # a broken TOML file, or a section in the environment that is no JSON
        where = named or DEFAULT_CONFIG
        raise SettingsError(f"{where} or {ENV_PREFIX}*: {error}; mend the file or the variable") from None


def load_stores(settings: Settings) -> dict[str, Store]:
    """The stores of `settings.stores_file`. Raises StoresError naming the file, the store and the field."""
    path = settings.stores_file
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoresError(
            f"{path}: can't be read ({error}); name the file with SHOPMETER_STORES_FILE"
        ) from None
    return parse_stores(text, origin=str(path))


def load_rates(settings: Settings, stores: Mapping[str, Store]) -> dict[RateKey, Rate]:
    """What the stores' reporting currencies need of the rates file; not read if none has one. RatesError."""
    reporting = {store.reporting_currency: name for name, store in stores.items() if store.reporting_currency}
    if not reporting:
        return {}
    path = settings.rates_file or settings.stores_file.with_name("rates.csv")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        named = next(f"store {name} reports in {currency}" for currency, name in reporting.items())
        raise RatesError(
            f"{path}: can't be read ({error}), and {named}; make it, or name it with SHOPMETER_RATES_FILE"
        ) from None
    rates = parse_rates(text, origin=str(path))
    return {key: rate for key, rate in rates.items() if key.reporting_currency in reporting}


def _line(item: Mapping[str, Any]) -> str:
    field = ".".join(str(part) for part in item["loc"])
    variable = ENV_PREFIX + field.replace(".", "__").upper()
    return f"{field or 'settings'}: {item['msg']} (set it by {variable} or in {DEFAULT_CONFIG})"


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    """A misspelt variable would otherwise leave a default in force without a word."""
    fields = {f"{ENV_PREFIX}{field.upper()}" for field in Settings.model_fields}
    known = {*fields, CONFIG_VARIABLE, failpoints.VARIABLE}
    unknown = sorted(
        name for name in environment if name.startswith(ENV_PREFIX) and name.split("__")[0] not in known
    )
    if unknown:
        raise SettingsError(f"environment: {', '.join(unknown)}: no such setting; mend the name or unset it")
