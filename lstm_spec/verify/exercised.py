"""Which equations of a specification a target was held against, by which checks, and in how many cases."""

from collections.abc import Iterable, Mapping

from lstm_spec.calculus.adjoint import backward
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.verify.checks import Check
from lstm_spec.verify.verdict import CheckResult, Exercised
from lstm_spec.write.write import write


def equations_of(spec: Program | Network, passes: Iterable[str]) -> tuple[str, ...]:
    """Return the equations that a check of these passes is about, those of every cell of a network once.

    passes: of "forward", the equations of the cell, and "backward", its adjoints.

    >>> from lstm_spec.spec.cells import lstm
    >>> equations_of(lstm(), ["forward"])[-1]
    'h = o∘tanh(c)'
    """
    cells = dict.fromkeys(run.cell for run in network_of(spec).every_pass)
    programs = {"forward": lambda cell: cell, "backward": backward}
    found = (write(programs[which](cell), format="text") for which in passes for cell in cells)
    return tuple(dict.fromkeys(line for text in found for line in text.splitlines()))


def exercised(
    spec: Program | Network, plan: Iterable[Check], results: Mapping[str, CheckResult]
) -> tuple[Exercised, ...]:
    """Return every equation that some case of a plan was held against, with the checks that did so."""
    checks: dict[str, list[CheckResult]] = {}
    asked = [(check, results[check.id]) for check in plan if check.id in results and results[check.id].cases]
    equations = {passes: equations_of(spec, passes) for passes in {check.passes for check, _ in asked}}
    for check, result in asked:
        for equation in equations[check.passes]:
            checks.setdefault(equation, []).append(result)
    return tuple(
        Exercised(equation, tuple(r.id for r in found), sum(r.cases - r.inconclusive for r in found))
        for equation, found in checks.items()
    )
