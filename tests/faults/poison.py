"""The corpus of bad inputs among good events: one of a hundred, one of two, nothing else."""

import random
import time
from collections.abc import Iterator
from itertools import cycle

from deploy.simulator.wire import SimRecord
from tests.corpus.all_kinds import KINDS
from tests.corpus.kind import DEAD, Kind
from tests.corpus.sending import APART, of_kind
from tests.faults.bare import Bare, open_bare
from tests.faults.matrix import case
from tests.faults.processes import FATAL
from tests.faults.stage import Outcome, Stage
from tests.kafka.campaign.members import Member
from tests.kafka.campaign.shops import SHOPS

SHARES = (0.01, 0.5, 1.0)
RATE = 600.0
# Of 100 kB and more are a handful: at every second record they would be all that is measured.
MOST_BYTES = 20_000
DEADLY = [
    kind
    for kind in KINDS
    if kind.bucket == DEAD and kind.name not in APART and len(kind.value or b"") < MOST_BYTES
]
NEVER_TRIPS = {"SHOPMETER_WORKER__BREAKER_WINDOW_RECORDS": "0"}


class Mixer:
    """A history in which the share `share` of all records are kinds of the corpus, in all stores in turn."""

    def __init__(self) -> None:
        self.share = 0.0
        self.poisoned = 0
        self._chance = random.Random(9)
        self._kinds = cycle(self._chance.sample(DEADLY, len(DEADLY)))

    def mix(self, records: Iterator[SimRecord]) -> Iterator[SimRecord]:
        """The good ones in their order; of a record that gives way to a bad one, its place is later."""
        store = cycle(shop.store_id for shop in SHOPS)
        for record in records:
            while self._chance.random() < self.share:
                yield self._bad(next(self._kinds), next(store), record.timestamp_ms)
            yield record

    def _bad(self, kind: Kind, store: str, now_ms: int) -> SimRecord:
        self.poisoned += 1
        sent = of_kind(kind, self.poisoned, now_ms)
        value, key = (sent.value or b"").replace(b'"acme"', b'"%b"' % store.encode()), sent.key or b""
        return SimRecord(sent.topic, key.replace(b"acme|", b"%b|" % store.encode()), value, now_ms)


@case(
    "F9 poison: 1 %, 50 % and 100 % of all records",
    "byte for byte; 1 % stops nothing, 100 % trips the breaker",
    short=1,
    long=6,
)
async def poison(stage: Stage, times: int) -> Outcome:
    """`times`: tens of seconds at each share."""
    mixer = Mixer()
    async with open_bare(stage, change=mixer.mix, events=int(RATE * 60 * times + 20_000)) as bare:
        worker = await bare.shop.worker()
        await bare.shop.sink()
        for share in SHARES:
            mixer.share = share if share < 1 else 0.99
            before, poisoned = bare.load.sent, mixer.poisoned
            await bare.load.run(rate=RATE, limit=int(RATE * 10 * times))
            got = (mixer.poisoned - poisoned) / (bare.load.sent - before)
            bare.figures[f"poison_at_{share:.0%}"] = round(got, 3)
            if share < 0.5:
                await bare.shop.caught_up()
                bare.expect(worker.exits == [], f"at {share:.0%} the worker ended: {worker.exits}")
        await trips(bare, worker)
        outcome = await bare.outcome(times)
        dead = outcome.finding.counts["dead_letters"]
        # Three decimals are right in one store's currency.
        bare.expect(dead >= 0.99 * mixer.poisoned, f"{mixer.poisoned} were bad, {dead} are dead letters")
        return outcome


async def trips(bare: Bare, worker: Member) -> None:
    """The breaker has stopped the worker and says why; an operator who knows better lets it go on."""
    began = time.monotonic()
    while not worker.exits and time.monotonic() < began + 60:
        await bare.load.run(rate=RATE, limit=500)
    bare.expect(worker.exits[:1] == [FATAL], f"nothing but poison, and the worker ended with {worker.exits}")
    told = "BreakerTripped" in worker.log.read_text(errors="replace")
    bare.expect(told, "the worker does not say that its breaker has tripped")
    await worker.leave(kill=True)
    await bare.shop.worker("0", **NEVER_TRIPS)
