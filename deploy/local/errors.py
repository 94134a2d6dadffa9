"""What can go wrong with the local stack; every message says what, where and what now.

LocalStackError
├── JavaMissing          no Java that can run the broker
├── JarsUnavailable      the broker's jars cannot be had, or are not the pinned ones
├── DirectoryLocked      another supervisor works in the data directory
├── PortBusy             a port is held by another process
└── ServiceFailed        a process did not start, did not get ready, or died
"""

from typing import Final

INSTALL_LOCAL: Final = "pip install '.[local]' in Shopmeter's source directory"
"""How the packages come that only the local stack needs."""


class LocalStackError(Exception):
    """A problem with the local stack that a person can mend; the message is one to show as it is."""


class JavaMissing(LocalStackError):
    """No Java of the version the broker needs."""


class JarsUnavailable(LocalStackError):
    """The broker's jars cannot be had, or have other bytes than the pinned ones."""


class DirectoryLocked(LocalStackError):
    """The data directory belongs to a running supervisor."""


class PortBusy(LocalStackError):
    """Something else listens where a service was to listen."""


class ServiceFailed(LocalStackError):
    """A service did not start, did not get ready in time, or ended without being asked to."""

    def __init__(self, message: str, *, service: str) -> None:
        super().__init__(message)
        self.service = service
