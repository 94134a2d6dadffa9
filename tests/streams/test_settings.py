"""Settings: the environment before the file before the defaults; mistakes are named, secrets never."""

import os
from pathlib import Path

import pytest

from schemas.rates import RatesError
from schemas.stores import Store, StoresError
from streams.settings import Settings, SettingsError, load_rates, load_settings, load_stores

SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("SHOPMETER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_are_one_machine_on_loopback() -> None:
    settings = load_settings()
    assert settings.kafka.bootstrap == "127.0.0.1:9092"
    assert settings.worker.http_host == "127.0.0.1"
    assert settings.state_dir == Path(".shopmeter/state/0")
    assert settings.topics.changelog == "shopmeter-changelog"
    assert settings.kafka_client_options() == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "PLAINTEXT",
    }


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "shopmeter.toml").write_text(
        "partitions = 3\n[worker]\ninstance = 'file'\nepoch_interval_ms = 100\n"
    )
    monkeypatch.setenv("SHOPMETER_WORKER__INSTANCE", "env")
    settings = load_settings(application="arg")
    assert (settings.partitions, settings.worker.instance, settings.worker.epoch_interval_ms) == (
        3,
        "env",
        100,
    )
    assert settings.worker.heartbeat_ms == 2_000
    assert settings.application == "arg"
    other = tmp_path / "other.toml"
    other.write_text("partitions = 5\n")
    monkeypatch.setenv("SHOPMETER_CONFIG", str(other))
    assert load_settings().partitions == 5


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPMETER_KAFKA__SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    monkeypatch.setenv("SHOPMETER_KAFKA__SASL_USERNAME", "ann")
    monkeypatch.setenv("SHOPMETER_KAFKA__SASL_PASSWORD", SECRET)
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__PASSWORD", SECRET)
    settings = load_settings()
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()
    options = settings.kafka_client_options()
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("ann", SECRET)
    monkeypatch.setenv("SHOPMETER_KAFKA__SASL_MECHANISM", SECRET)
    monkeypatch.setenv("SHOPMETER_KAFKA__SASL_PASSWORT", SECRET)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert SECRET not in str(raised.value)
    assert "kafka.sasl_passwort" in str(raised.value)
    assert raised.value.__cause__ is None


def test_secrets_come_from_files_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    monkeypatch.setenv("SHOPMETER_KAFKA__SASL_PASSWORD_FILE", str(file))
    monkeypatch.setenv("SHOPMETER_KAFKA__SASL_USERNAME", "ann")
    monkeypatch.setenv("SHOPMETER_KAFKA__SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__PASSWORD_FILE", str(file))
    settings = load_settings()
    assert settings.kafka_client_options()["sasl_plain_password"] == SECRET
    assert settings.clickhouse.password.get_secret_value() == SECRET
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__PASSWORD", "another")
    with pytest.raises(SettingsError, match="either password or password_file") as raised:
        load_settings()
    assert SECRET not in str(raised.value) + repr(raised.value.__context__)
    monkeypatch.delenv("SHOPMETER_CLICKHOUSE__PASSWORD")
    monkeypatch.setenv("SHOPMETER_CLICKHOUSE__PASSWORD_FILE", str(tmp_path))
    with pytest.raises(SettingsError, match=r"can't be read: IsADirectoryError"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SHOPMETER_PARTITIONS", "0", "partitions: .*greater than 0.*SHOPMETER_PARTITIONS"),
        ("SHOPMETER_WORKER__HEARTBEAT_MS", "9000", "three times heartbeat_ms"),
        ("SHOPMETER_WORKER__COMMIT_TIMEOUT_MS", "10000", "below transaction_timeout_ms"),
        ("SHOPMETER_WORKER__INSTANCE", "a/b", "worker.instance"),
        ("SHOPMETER_KAFKA__SECURITY_PROTOCOL", "SASL_SSL", "sasl_username"),
        ("SHOPMETER_CLICKHOUSE__URL", "http://ann:secret@db:8123", "use username and password"),
        ("SHOPMETER_CLICKHOUSE__URL", "db:8123", "http://"),
        ("SHOPMETER_CLICKHOUSE__URL", "http://db:81230", "Port out of range"),
        ("SHOPMETER_CLICKHOUSE__URL", "http://db:house", "Port could not be cast"),
        ("SHOPMETER_CLICKHOUSE__URL", "http://:8123", "name a host"),
        ("SHOPMETER_KAFKA__BOOTSTRP", "x", "kafka.bootstrp"),
        ("SHOPMETER_KAFAK__BOOTSTRAP", "x", "SHOPMETER_KAFAK__BOOTSTRAP: no such setting"),
        ("SHOPMETER_CONFIG", "nowhere.toml", "there is no file nowhere.toml"),
        ("SHOPMETER_KAFKA", "{", "SHOPMETER_"),
    ],
)
def test_a_mistake_is_named_with_its_mend(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=says):
        load_settings()


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "shopmeter.toml").write_text("partitions = \n")
    with pytest.raises(SettingsError, match=r"shopmeter\.toml"):
        load_settings()
    (tmp_path / "shopmeter.toml").write_text("partitoins = 3\n")
    with pytest.raises(SettingsError, match="partitoins"):
        load_settings()


def test_ssl_makes_a_context() -> None:
    settings = Settings.model_validate({"kafka": {"security_protocol": "SSL"}})
    assert settings.kafka_client_options()["ssl_context"].check_hostname


def test_stores_are_read_and_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoresError, match=r"stores\.toml.*SHOPMETER_STORES_FILE"):
        load_stores(load_settings())
    (tmp_path / "stores.toml").write_text("version = 1\n[stores.shop]\nzone = 'Europe/Berlin'\n")
    assert load_stores(load_settings())["shop"].zone == "Europe/Berlin"


def test_rates_are_read_where_a_store_needs_them_and_a_missing_file_is_named(tmp_path: Path) -> None:
    settings = load_settings(stores_file=tmp_path / "stores.toml")
    plain, told = Store(), Store(reporting_currency="EUR")
    assert load_rates(settings, {"plain": plain}) == {}
    with pytest.raises(RatesError, match=r"rates\.csv.*store told reports in EUR.*SHOPMETER_RATES_FILE"):
        load_rates(settings, {"plain": plain, "told": told})
    lines = "day,currency,reporting_currency,rate\n2026-01-31,USD,EUR,0.9\n2026-01-31,USD,JPY,150\n"
    (tmp_path / "rates.csv").write_text(lines)
    (key,) = load_rates(settings, {"told": told})
    assert key.reporting_currency == "EUR"
    named = load_settings(rates_file=tmp_path / "other.csv")
    with pytest.raises(RatesError, match=r"other\.csv"):
        load_rates(named, {"told": told})
