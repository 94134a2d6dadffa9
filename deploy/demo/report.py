"""What the comparison at the demo's end found, as lines for people and as one line for scripts."""

import json
from dataclasses import dataclass, field

from deploy.demo.figures import DIFFERENCES_SHOWN, Figures


@dataclass
class Report:
    """What the comparison found."""

    expected: Figures
    found: Figures
    differences: dict[str, list[str]]
    notes: list[str]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_equal(self) -> bool:
        """Everything was as the simulator knew it."""
        return not any(self.differences.values())

    def as_json(self) -> str:
        """One line: buckets, totals, expected, equal flags, seconds of each stage."""
        return json.dumps(
            {
                "ok": self.is_equal,
                "read": self.found.read,
                "buckets": self.found.bucket_totals(),
                "totals": self.found.money_totals(),
                "expected": {
                    "read": self.expected.read,
                    "buckets": self.expected.bucket_totals(),
                    "totals": self.expected.money_totals(),
                },
                "equal": {part: not lines for part, lines in self.differences.items()},
                "notes": self.notes,
                "seconds": {stage: round(seconds, 1) for stage, seconds in self.seconds.items()},
            }
        )


def tell(report: Report) -> None:
    """The summary for people, then the line for scripts."""
    counts = "   ".join(
        f"{name.replace('_', ' ')} {count:,}" for name, count in report.found.bucket_totals().items()
    )
    print(f"\n   {report.found.read:,} records   {counts}")
    for currency, totals in report.found.money_totals().items():
        parts = "   ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in totals.items())
        print(f"   {currency} (minor units)   {parts}")
    for part, lines in report.differences.items():
        print(
            f" {'✗' if lines else '✓'} {part.replace('_', ' '):<16} {'NOT EQUAL' if lines else 'equal to what was sent'}"
        )
        for text in lines[:DIFFERENCES_SHOWN]:
            print(f"     {text}")
        if len(lines) > DIFFERENCES_SHOWN:
            print(f"     and {len(lines) - DIFFERENCES_SHOWN} more")
    print(report.as_json(), flush=True)
