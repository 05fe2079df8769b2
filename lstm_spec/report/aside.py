"""Keeping what other people's code prints out of our own output."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Send to stderr whatever is printed to stdout, by Python or by a library in C that knows only the descriptor."""
    # Where stderr is closed, the first file that is opened gets its number: let it be the one that takes everything.
    with open(os.devnull, "w", encoding="utf-8"), contextlib.redirect_stdout(sys.stderr), _descriptor(1, 2):
        yield


@contextlib.contextmanager
def _descriptor(number: int, instead: int) -> Iterator[None]:
    try:
        kept = os.dup(number)
    except OSError:
        # It is closed, so nothing can be written there.
        yield
        return
    _flush()
    os.dup2(instead, number)
    try:
        yield
    finally:
        _flush()
        os.dup2(kept, number)
        os.close(kept)


def _flush() -> None:
    """Write out what C has buffered, lest it come when the descriptor is another one's."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
