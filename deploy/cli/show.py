"""What the long commands print: steps with a tick and their time, and the addresses at the end."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from deploy.local.service import ServiceEvent
    from deploy.stack import Urls

LOG_SECONDS: Final = 5.0


class Steps:
    """Steps of a start as they get done. On a terminal what is under way is shown in a line that goes again.

    `on_stderr`: stdout is for the line that a script reads.
    """

    def __init__(self, *, on_stderr: bool = False) -> None:
        from deploy.console import console

        self._console: Any = console(soft_wrap=True, stderr=on_stderr)
        self._status: Any = None
        self._began = self._said = time.monotonic()
        self._returning: set[str] = set()

    def title(self, text: str) -> None:
        """The first line."""
        self._console.print(f"[bold]shopmeter[/] {text}\n")

    def say(self, step: str, text: str) -> None:
        """Something long is under way."""
        if not self._console.is_terminal:
            # A log wants to know that it goes on, not each step of it.
            if time.monotonic() - self._said >= LOG_SECONDS:
                self._said = time.monotonic()
                self._console.print(f" … {step}: {text}", markup=False)
            return
        if self._status is None:
            self._status = self._console.status("")
            self._status.start()
        self._status.update(f"{step}: {text}")

    def done(self, step: str, detail: str, seconds: float) -> None:
        """A step is done."""
        self.hush()
        self._console.print(f" [green]✓[/] {step:<11} {detail:<62} {seconds:6.1f} s", markup=True)

    def hush(self) -> None:
        """Take the line of what is under way off the terminal."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def addresses(self, urls: "Urls", data: Path) -> None:
        """Where everything is, once it is up."""
        self.hush()
        seconds = time.monotonic() - self._began
        metrics = "  ".join(urls.metrics.values())
        for name, text in (
            ("SQL", f"{urls.reader}  (read-only, any ClickHouse HTTP client)"),
            ("", 'shopmeter sql "SELECT * FROM revenue_daily"'),
            *(
                (("Reports", f"{urls.api}/api/v1/report?store=acme  (or: shopmeter report --store acme)"),)
                if urls.api
                else ()
            ),
            ("Events", f"{urls.kafka}  (Kafka; or: shopmeter send events.jsonl --wait)"),
            ("Metrics", metrics),
            ("Logs", str(data / "logs")),
        ):
            self._console.print(f"   {name:<9} {text}" if name else f"   {'':<9} [dim]{text}[/]")
        self._console.print(f"\n   up after {seconds:.1f} s   Ctrl-C stops, data stays")

    def service(self, event: "ServiceEvent") -> None:
        """Tell how services end, and that they come back; their first starts are told as steps."""
        if event.state == "returning":
            self.hush()
            self._returning.add(event.service)
            self._console.print(f"   {event.service} {event.detail}", style="yellow")
        if event.state == "ready" and event.service in self._returning:
            self._returning.remove(event.service)
            self._console.print(f"   {event.service} is back after {event.seconds:.1f} s", style="yellow")
        if event.state == "stopped":
            self.hush()
            self._console.print(
                f"   {event.service} stopped: {event.detail}, {event.seconds:.1f} s", style="dim"
            )
