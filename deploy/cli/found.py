"""Which installation a command speaks to: the settings, and for what they leave open the stack that runs here."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, TomlConfigSettingsSource

from deploy.cli.exits import CommandError, ExitCode
from deploy.local.lock import LockHolder, is_held, read_holder
from deploy.prepare import stores_file_of
from streams.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, Settings, load_settings


class Here(NamedTuple):
    """The settings to work with, and the local stack they come from (None: settings and defaults alone)."""

    settings: Settings
    stack: LockHolder | None

    @property
    def is_local(self) -> bool:
        """Whether ClickHouse is the one of the running stack, whose read-only side we know."""
        return self.stack is not None and self.settings.clickhouse.url == self.stack.urls.get("clickhouse")


class _WeakArguments(Settings):
    """Settings whose arguments stand behind environment and file instead of before them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG))
        return env_settings, TomlConfigSettingsSource(settings_cls, file), init_settings


def here(data: Path | None = None, *, starting: bool = False, **overrides: Any) -> Here:
    """The installation of this directory. `data`: another data directory; `overrides` win over everything.

    Raises SettingsError, and CommandError while the stack is still starting, unless `starting` is fine.
    """
    if data is not None:
        overrides["data_dir"] = data
    settings = load_settings(**overrides)
    stack = running(settings.data_dir)
    if stack is not None and not stack.urls and not starting and names_no_servers(settings):
        raise CommandError(
            f"the stack in {settings.data_dir} (pid {stack.pid}) is still starting; try again when it says it is up",
            ExitCode.PREREQUISITE,
        )
    found: dict[str, Any] = {}
    if stack is not None and "kafka" in stack.urls:
        found = {
            "kafka": {"bootstrap": stack.urls["kafka"]},
            "clickhouse": {"url": stack.urls["clickhouse"]},
        }
    # Everything was checked by `load_settings`; here only the order of who has the last word is another.
    settings = _WeakArguments(**found)
    changes: dict[str, Any] = {"data_dir": (data or settings.data_dir).absolute()}
    changes["stores_file"] = _stores_file(settings, changes["data_dir"])
    for section, values in overrides.items():
        if section != "data_dir":
            changes[section] = getattr(settings, section).model_copy(update=values)
    return Here(settings.model_copy(update=changes), stack)


def names_no_servers(settings: Settings) -> bool:
    """Whether the settings leave open where Kafka and ClickHouse are."""
    fields = Settings.model_fields
    return (settings.kafka, settings.clickhouse) == (fields["kafka"].default, fields["clickhouse"].default)


def _stores_file(settings: Settings, data: Path) -> Path:
    chosen = stores_file_of(settings, data)
    # Neither the project nor the directory has one: name the file that a person would make.
    return chosen if chosen.exists() else settings.stores_file


def running(data: Path) -> LockHolder | None:
    """The stack that works in `data` now; None if none does, whatever a killed one left behind."""
    if not is_held(data):
        return None
    try:
        return read_holder(data)
    except OSError:  # not ours: whatever runs there, it does not speak to us
        return None


def no_stack(what: str, data: Path) -> CommandError:
    """The error of a command that needs a stack and finds none."""
    return CommandError(
        f"{what}; no stack runs in {data}: start one with `shopmeter up`, name its directory with --data, "
        "or set SHOPMETER_KAFKA__BOOTSTRAP and SHOPMETER_CLICKHOUSE__URL",
        ExitCode.PREREQUISITE,
    )
