"""The list of commands, and the one place where expected errors become a line and an exit code."""

import logging
from typing import Any, Final

import typer
from typer.core import TyperGroup

from deploy.cli import admin, audit, data, dead_letters, processes, query, report, stack
from deploy.cli.exits import ExitCode, expected
from deploy.console import flush_stdout

EPILOG: Final = """\
Settings come from the environment (SHOPMETER_KAFKA__BOOTSTRAP, ...), then shopmeter.toml, then a stack that runs in the
data directory, then defaults.

\b
Exit codes:
  0    done; for demo: every count and total equals what was sent
  1    failed, or not equal
  2    wrong arguments or settings
  3    a prerequisite is missing: no Kafka or ClickHouse there, directory locked, port busy, no Java
  4    time was over before it was done
  70   worker: ended itself, nothing more was committed; start it again
  78   worker: the topics are not as they must be
  130  ended by Ctrl-C before it was done (0: `up`, `demo` without --seconds, `worker`, `sink`, `probe`, `serve`)
  143  up, demo: ended in order by SIGTERM (0: `worker`, `sink`, `probe`, `serve`)
"""


class Commands(TyperGroup):
    """Typer's group; an expected error is told in one line, anything else keeps its traceback: it is a bug."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Exits as `ExitCode` says."""
        # Libraries log what they are about to raise; the line below says it once, and how to mend it.
        logging.getLogger().addHandler(logging.NullHandler())
        try:
            try:
                return super().invoke(ctx)
            finally:
                flush_stdout()
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except BrokenPipeError:
            # `shopmeter sql ... | head`: the reader has enough.
            raise typer.Exit(ExitCode.OK) from None
        except Exception as error:
            known = expected(error)
            if known is None:
                raise
            message, code = known
            typer.echo(f"shopmeter: {message}", err=True)
            raise typer.Exit(code) from None


app: Final = typer.Typer(
    name="shopmeter",
    cls=Commands,
    help="Exact e-commerce metrics, seconds after the click: Kafka in, ClickHouse out.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    # Rich's help costs as much time as everything else together, and breaks examples in the middle.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

app.command()(stack.up)
app.command()(stack.demo)
app.command()(processes.worker)
app.command()(processes.sink)
app.command()(processes.probe)
app.command()(processes.serve)
app.add_typer(admin.topics, name="topics")
app.command()(admin.migrate)
app.command()(data.simulate)
app.command()(data.send)
app.command()(data.wait)
app.command()(report.report)
app.command()(report.metrics)
app.command()(report.export)
app.command()(query.sql)
app.add_typer(dead_letters.app, name="dead-letters")
app.command()(dead_letters.skip)
app.add_typer(audit.app, name="audit")
app.command()(admin.doctor)


def main() -> None:
    """Run the command line; does not return."""
    app(prog_name="shopmeter")
