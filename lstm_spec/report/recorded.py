"""The diagnosis of a recorded run for a terminal."""

from collections.abc import Iterator

from lstm_spec.verify.recorded import AS_SPECIFIED, EXPLAINED, Recorded


def recorded_lines(found: Recorded) -> Iterator[str]:
    """Yield what is to be said of a recorded run: what is probably wrong, how it was read, and what comes nearest."""
    yield from _verdict(found)
    if found.tried:
        tried = f"{found.tried} hypotheses tried"
    else:
        tried = "nothing" if found.status == AS_SPECIFIED else "the axes alone"
        tried += " had to be changed"
    yield f"Read as {found.spec} in the layout {found.layout}; {found.axes}; numbers of {found.precision}; {tried}"
    if found.expected is not None:
        yield ""
        yield from (
            f"The expected output: {line}" if k == 0 else line for k, line in enumerate(_verdict(found.expected))
        )
    if found.status != AS_SPECIFIED and found.ranked:
        yield ""
        yield "  agrees   worst  "
        for ranked in found.ranked:
            near = ranked.nearness
            yield f"  {near.agreeing:6.1%}  {near.worst:6.1g}  {ranked.sentence}"


def _verdict(found: Recorded) -> Iterator[str]:
    if found.status == AS_SPECIFIED:
        yield "This run is as the specification has it."
        yield from _blindness(found)
        return
    if not found.diagnosis:
        yield "No fault of the catalogue, nor a pair of them, gives these numbers."
    if found.status == EXPLAINED:
        first, *others = found.diagnosis
        yield f"Probably: {first.sentence}"
        yield from (f"  or, which gives the same numbers: {other.sentence}" for other in others)
    if found.notes:
        yield f"What it cannot tell may be since {', '.join(found.notes)}."


def _blindness(found: Recorded) -> Iterator[str]:
    if found.unseen:
        why = f", since {', '.join(found.notes)}" if found.notes else ""
        yield f"{found.unseen} faults of the catalogue would give the same numbers{why}."
    elif found.notes:
        yield f"Note: {', '.join(found.notes)}."
