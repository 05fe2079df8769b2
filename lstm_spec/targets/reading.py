"""Files of arrays that others wrote: what is wrong with one is a sentence, and no size that it claims is believed."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SPARE = 2**28
"""How many bytes the arrays of a compressed file may always take, however small the file."""

RATIO = 16
"""How many times its own size the arrays of a larger compressed file may take."""


class FileError(ValueError):
    """A file that holds no arrays, or that may not be read; the message is one sentence that names it."""


def existing(path: str | Path) -> Path:
    """Return the path of a file that is there; raises FileError for what is none, such as a pipe or a folder."""
    place = Path(path)
    if not place.is_file():
        raise FileError(f"{path} cannot be read: {'it is no file' if place.exists() else 'there is no such file'}")
    return place


@contextmanager
def reading(path: str | Path, kind: str) -> Iterator[None]:
    """Turn whatever a reader of files says of a spoilt one into FileError; kind: what the file should be, in words."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        # A library raises it of what it finds in a file too, with a text and without a number.
        if error.errno is None:
            raise FileError(f"{path} is no {kind}, or it is damaged") from None
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    except Exception:
        # A reader promises nothing of what it raises for bytes that somebody has made up.
        raise FileError(f"{path} is no {kind}, or it is damaged") from None


def check_claim(path: str | Path, claimed: int, size: int) -> None:
    """Raise FileError where a compressed file claims more bytes of arrays than are believed of its size."""
    if claimed > max(SPARE, RATIO * size):
        raise FileError(f"{path} claims {claimed:,} bytes of arrays and has {size:,}, which is not believed")


def members(archive: zipfile.ZipFile, path: str | Path) -> list[zipfile.ZipInfo]:
    """Return what is in an archive; raises FileError where it claims more than is believed of the archive's size."""
    found, size = archive.infolist(), Path(path).stat().st_size
    check_claim(path, sum(member.file_size for member in found), size)
    # As much memory is taken at once as a member is said to have in the file.
    if any(member.compress_size > size for member in found):
        raise FileError(f"{path} claims a member that is larger than the file")
    return found
