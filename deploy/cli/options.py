"""Options that several commands have, said once."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Data directory; default .shopmeter, or SHOPMETER_DATA_DIR.", metavar="DIR"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on the last line, for scripts.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Give up after so many seconds, with exit code 4.")]
