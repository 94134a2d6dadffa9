"""A consumer group: members that come, go, and are thought dead; eager rebalances; static members that come back."""

import asyncio
from typing import Final, Protocol

from tests.simulation.stage import Process, Stage

SESSION_S: Final = 10.0
HEARTBEAT_S: Final = 2.0
REBALANCE_S: Final = 20.0


class Member(Protocol):
    """A process's membership, of a worker or a sink."""

    process: Process
    slot: str

    async def revoke(self) -> None:
        """Everything is taken away; returns when the member has let go of it. `evicted` may be known by now."""
        ...

    def assign(self, partitions: list[int]) -> None:
        """These partition numbers, of all topics, are the member's."""
        ...


class Group:
    """Its coordinator."""

    def __init__(self, stage: Stage, name: str, partitions: int) -> None:
        self._stage = stage
        self.name = name
        self._partitions = partitions
        self.members: dict[str, Member] = {}
        self._shares: dict[str, list[int]] = {}
        self._wanted = asyncio.Event()
        self.rebalances = 0
        self.work = stage.background(self._run())

    def holds(self, member: Member) -> bool:
        """Does the group still know this member?"""
        return self.members.get(member.slot) is member

    def join(self, member: Member) -> None:
        """A process comes. Under the slot of a dead one, and with luck, it gets its share at once."""
        before = self.members.get(member.slot)
        self.members[member.slot] = member
        share = self._shares.get(member.slot)
        if before is not None and share is not None and self._stage.chance.random() < 0.7:
            self._stage.note(f"{self.name}: {member.process.name} is back in its slot with {share}")
            member.assign(share)
        else:
            self.rebalance()
        self._stage.background(self._watch(member))

    def leave(self, member: Member) -> None:
        """An orderly end."""
        if self.holds(member):
            del self.members[member.slot]
            self._shares.pop(member.slot, None)
            self.rebalance()

    def evict(self, member: Member) -> None:
        """The coordinator hears nothing of it any more, but it lives: the others get its partitions, it learns later."""
        if self.holds(member):
            self._stage.note(f"{self.name}: {member.process.name} is thought dead")
            self.leave(member)
            member.process.spawn(self._tell(member))

    async def _tell(self, member: Member) -> None:
        await asyncio.sleep(self._stage.chance.uniform(0.1, SESSION_S))
        if not self.holds(member):  # it may have come back on its own
            await member.revoke()

    async def _watch(self, member: Member) -> None:
        await member.process.ended
        await asyncio.sleep(SESSION_S)
        self.leave(member)

    def rebalance(self) -> None:
        """Give everything out anew, soon."""
        self._wanted.set()

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            await asyncio.sleep(self._stage.latency())
            self._wanted.clear()
            self.rebalances += 1
            members = list(self.members.values())
            self._shares.clear()
            self._stage.note(f"{self.name}: rebalance of {[member.process.name for member in members]}")
            await self._revoke(members)
            members = [member for _, member in sorted(self.members.items()) if member.process.alive]
            for rank, member in enumerate(members):
                self._shares[member.slot] = share = self._range(rank, len(members))
                member.assign(share)

    async def _revoke(self, members: list[Member]) -> None:
        living = [member for member in members if member.process.alive]
        if not living:
            return
        leaving = {member.slot: member.process.spawn(self._learn(member)) for member in living}
        # A member that dies meanwhile cancels its task, which ends it.
        _, late = await asyncio.wait(leaving.values(), timeout=REBALANCE_S)
        for member in living:
            if leaving[member.slot] in late:
                self.evict(member)

    async def _learn(self, member: Member) -> None:
        """A heartbeat tells it; until the last one knows, the others wait for their share."""
        await asyncio.sleep(
            self._stage.chance.choice((0.0, 0.01, self._stage.chance.uniform(0.0, HEARTBEAT_S)))
        )
        await member.revoke()

    def _range(self, rank: int, members: int) -> list[int]:
        """aiokafka's range assignor."""
        least, more = divmod(self._partitions, members)
        begin = rank * least + min(rank, more)
        return list(range(begin, begin + least + (rank < more)))
