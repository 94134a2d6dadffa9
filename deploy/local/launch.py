"""Becomes the given command, but one that cannot outlive the process that started it.

Run as a script, `launch.py PARENT_PID COMMAND...`, because the request to the kernel must be made in the child:
`preexec_fn` would do it too, but may deadlock in a process with threads. The pid stays the same across exec.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Exec `arguments[1:]`; exits 127 with a line on stderr if that cannot be run."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        # SIGKILL, as nothing less is certain; what the services guarantee holds for a kill too.
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
        # The parent may have died before the request was made: then the signal never comes.
        if os.getppid() != parent:
            sys.exit(f"process {parent}, which was to supervise this one, is gone")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
