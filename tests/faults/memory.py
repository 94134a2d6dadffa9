"""How much memory processes take, with all that they have started."""

from collections.abc import Iterable

import psutil

from tests.kafka.campaign.members import Member


def resident_mb(members: Iterable[Member]) -> float:
    """Resident memory of the members' processes together, in MB; what has just ended counts nothing."""
    return round(sum(process_mb(member.process.pid) for member in members), 1)


def process_mb(pid: int) -> float:
    """Resident memory of a process and those below it, in MB; 0 if it has just ended."""
    total = 0
    try:
        root = psutil.Process(pid)
        for one in (root, *root.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return round(total / 1_048_576, 1)
