"""docs/settings.md: every setting of worker and sink, from the fields and their docstrings."""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from streams.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, ENV_PREFIX, Settings

FILE: Final = "docs/settings.md"

_HEAD: Final = f"""# Settings

<!-- Rendered from streams/settings.py by `make render`; do not edit. -->

Worker, sink and every command read the environment first, then `{DEFAULT_CONFIG}` in the working directory (or the file
that `{CONFIG_VARIABLE}` names), then the defaults. In the file a section is a table: `{ENV_PREFIX}WORKER__INSTANCE` is
`instance` in `[worker]`. A variable that is no setting is refused, not ignored. Times in milliseconds end in `_ms`.

Stores and their windows are in [stores.md](stores.md).
"""


def rendered_files() -> dict[str, str]:
    """Path in the repository -> text."""
    parts = [_HEAD, _table("Of every process", _plain(Settings), ENV_PREFIX)]
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            title = (section.__doc__ or name).splitlines()[0].rstrip(".")
            parts.append(_table(title, section.model_fields.items(), f"{ENV_PREFIX}{name.upper()}__"))
    return {FILE: "\n".join(parts)}


def _plain(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            yield name, field


def _table(title: str, fields: Any, prefix: str) -> str:
    lines = [f"## {title}", "", "| variable | default | what it is |", "|---|---|---|"]
    for name, field in fields:
        text = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{prefix}{name.upper()}` | {_default(field)} | {text} |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    value = field.default
    return "" if value is None or str(value) == "" else f"`{value}`"
