"""What was found out about a layout, for a terminal."""

from collections.abc import Iterator

from lstm_spec.verify.identify import AMBIGUOUS, UNKNOWN, Identified


def identified_lines(found: Identified) -> Iterator[str]:
    """Yield what was found beside the layout itself: how sure it is, and what else would do.

    >>> list(identified_lines(Identified("identified", "lstm", None, tried=72)))
    ['It is the one of 72 layouts that gives its numbers, those of lstm.']
    """
    if found.status == UNKNOWN:
        yield f"No layout was found among {found.tried}: {'; '.join(found.notes)}."
        return
    if found.status == AMBIGUOUS:
        fitting = f"{len(found.others) + 1} of {found.tried} layouts give its numbers"
        yield f"{fitting}, those of {found.spec}; this is the first of them."
        yield from (f"Another one differs in: {other}" for other in found.others)
    else:
        yield f"It is the one of {found.tried} layouts that gives its numbers, those of {found.spec}."
    yield from (f"Note: {note}." for note in found.notes)
