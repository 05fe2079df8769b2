"""Run a command within limits: ``python launch.py MEMORY TIED COMMAND [ARGUMENT …]``.

It takes its own place, so that whoever started it sees how the command ends. It knows nothing but the standard library,
since it is run as a file.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path


def restrict(memory: int, *, tied: bool) -> None:
    """Let this process take ``memory`` bytes more than it has, and leave no core file, where the system knows limits.

    tied: whether the system kills it when the thread that started it ends, be it by a signal; Linux can do that.
    """
    if tied and sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        import resource
    except ImportError:
        return
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # What is only mapped, as by a framework for a GPU, does not count; RLIMIT_AS would count it.
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = _taken() + memory
        resource.setrlimit(resource.RLIMIT_DATA, (wanted if most < 0 else min(wanted, most), most))


def _taken() -> int:
    """Return how many bytes of data this process has; 0 where the system does not say."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


def main() -> None:
    """Run the command of the arguments."""
    memory, tied, *command = sys.argv[1:]
    restrict(int(memory), tied=tied == "True")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]} cannot be run: {error.strerror}", file=sys.stderr)
        sys.exit(126)


if __name__ == "__main__":
    main()
