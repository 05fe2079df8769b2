"""Whole pieces of a cell with others in their place: activations everywhere, coupled gates, constants, another cell."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from sympy import Lambda, Rational, sqrt, tanh

from lstm_spec.compute.answers import canonical
from lstm_spec.spec.catalogue import CATALOGUE
from lstm_spec.spec.catalogue import cell as catalogue_cell
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.functions import SLOTS, clip, magnitude, sigmoid
from lstm_spec.spec.operators import add, apply, hadamard, one_minus
from lstm_spec.spec.program import Program
from lstm_spec.verify.function_rewrites import MISTAKEN_FOR, activation_of
from lstm_spec.verify.hypotheses import Hypothesis, Wrap, listed
from lstm_spec.verify.places import places

_s = SLOTS[0]
_SOFT = _s / (1 + magnitude(_s))
_PADE = _s * (27 + _s**2) / (27 + 9 * _s**2)
_LAMBERT = _s * (945 + 105 * _s**2 + _s**4) / (945 + 420 * _s**2 + 15 * _s**4)
APPROXIMATIONS: Mapping[str, Mapping[str, Lambda]] = MappingProxyType(
    {
        "sigmoid": MappingProxyType(
            {
                "(tanh(a) + 1)/2": Lambda((_s,), sigmoid(2 * _s)),
                "a/(2(1 + |a|)) + 1/2": Lambda((_s,), _SOFT / 2 + Rational(1, 2)),
                "a/(4 + 2|a|) + 1/2": Lambda((_s,), _s / (4 + 2 * magnitude(_s)) + Rational(1, 2)),
                "clip(a/4 + 1/2, 0, 1)": Lambda((_s,), clip(_s / 4 + Rational(1, 2), 0, 1)),
                "1/(1 + exp(a))": Lambda((_s,), sigmoid(-_s)),
                "σ(σ(a))": Lambda((_s,), sigmoid(sigmoid(_s))),
                "σ(1.702 a)": Lambda((_s,), sigmoid(Rational(1702, 1000) * _s)),
                "(1 + a/√(1 + a²))/2": Lambda((_s,), (1 + _s / sqrt(1 + _s**2)) / 2),
                "1/(1 + (1 − a/1024)^1024)": Lambda((_s,), 1 / (1 + (1 - _s / 1024) ** 1024)),
                "1/(1 + (1 − a/256)^256)": Lambda((_s,), 1 / (1 + (1 - _s / 256) ** 256)),
            }
        ),
        "tanh": MappingProxyType(
            {
                "clip(a, −1, 1)": Lambda((_s,), clip(_s, -1, 1)),
                "a(27 + a²)/(27 + 9a²)": Lambda((_s,), _PADE),
                "clip(a(27 + a²)/(27 + 9a²), −1, 1)": Lambda((_s,), clip(_PADE, -1, 1)),
                "a(15 + a²)/(15 + 6a²)": Lambda((_s,), _s * (15 + _s**2) / (15 + 6 * _s**2)),
                "2σ(a) − 1": Lambda((_s,), 2 * sigmoid(_s) - 1),
                "a/(1 + a²/(3 + a²/5))": Lambda((_s,), _s / (1 + _s**2 / (3 + _s**2 / 5))),
                "a − a³/3": Lambda((_s,), _s - _s**3 / 3),
                "tanh(tanh(a))": Lambda((_s,), tanh(tanh(_s))),
                "1.7159 tanh(2a/3)": Lambda((_s,), Rational(17159, 10000) * tanh(2 * _s / 3)),
                "a/√(1 + a²)": Lambda((_s,), _s / sqrt(1 + _s**2)),
                "a(945 + 105a² + a⁴)/(945 + 420a² + 15a⁴)": Lambda((_s,), _LAMBERT),
                "clip(a(945 + 105a² + a⁴)/(945 + 420a² + 15a⁴), −1, 1)": Lambda((_s,), clip(_LAMBERT, -1, 1)),
            }
        ),
    }
)
"""By activation, what is computed in its place to be fast, or by a slip, as a formula and as a function of a."""

EPSILONS = (0.0, 1e-12, 1e-8, 1e-6, 1e-5, 1e-3)
"""What is added to a variance."""


def substitutions(cell: Program) -> tuple[Hypothesis, ...]:
    """Return the hypotheses that a whole piece of a cell is another one.

    >>> from lstm_spec.spec.cells import lstm
    >>> [h.sentence for h in substitutions(lstm()) if h.kind == "coupling"][0]
    'f is 1 − i: the forget gate is coupled to the input gate'
    """
    return (*everywhere(cell), *_exchanged(cell), *_coupled(cell), *_constants(cell))


def other_cells(cell: Program) -> tuple[Hypothesis, ...]:
    """Return the hypotheses that it is another cell of the catalogue, with the same parameters and states.

    >>> from lstm_spec.spec.cells import lstm
    >>> other_cells(lstm())[0].sentence
    'it is the cell niaf: no input activation function, c̃ = a_c'
    """
    return tuple(_others(cell))


def everywhere(cell: Program) -> tuple[Hypothesis, ...]:
    """Return the hypotheses that one activation stands for another in all equations that apply it.

    >>> from lstm_spec.spec.cells import lstm
    >>> next(h.sentence for h in everywhere(lstm()) if "hard_sigmoid" in h.id)
    'hard_sigmoid stands where the spec has sigmoid, in f, i and o'
    """
    uses: dict[str, list[Equation]] = {}
    for equation in cell:
        for name in dict.fromkeys(activation_of(part) for part, _ in places(equation.expression)):
            if name in MISTAKEN_FOR:
                uses.setdefault(str(name), []).append(equation)
    return tuple(
        Hypothesis(
            f"all.{name}-{key}",
            "activation",
            f"{other} stands where the spec has {name}, in {listed(e.name for e in equations)}",
            cell,
            equations=tuple((e.name, _with_activation(e, name, function)) for e in equations),
        )
        for name, equations in uses.items()
        for key, (other, function) in _functions(name).items()
        if len(equations) > 1 or key not in MISTAKEN_FOR[name]
    )


def _with_activation(equation: Equation, name: str, other: Any) -> Any:
    expression = equation.expression
    while found := next(((p, put) for p, put in places(expression) if activation_of(p) == name), None):
        part, put = found
        expression = put(apply(other, *part.arguments))
    return expression


def _functions(name: str) -> dict[str, tuple[str, Any]]:
    """Return what may stand for an activation, by a name for ids: in words, and as a function."""
    known = {other: (other, other) for other in MISTAKEN_FOR.get(name, ())}
    formulas = APPROXIMATIONS.get(name, {}).items()
    return {**known, **{f"formula{k}": (formula, f) for k, (formula, f) in enumerate(formulas, 1)}}


def functions_for(name: str) -> Iterator[tuple[str, Any]]:
    """Yield what may stand for an activation, in words and as a function."""
    yield from _functions(name).values()


def _exchanged(cell: Program) -> Iterator[Hypothesis]:
    """σ and tanh in each other's place, as where two options are given in the wrong order."""
    swapped = {"sigmoid": "tanh", "tanh": "sigmoid"}
    wrong = {}
    for equation in cell:
        if names := {n for p, _ in places(equation.expression) if (n := activation_of(p)) in swapped}:
            name = next(iter(names))
            wrong[equation.name] = _with_activation(equation, str(name), swapped[str(name)])
    if len(wrong) > 1:
        sentence = "σ and tanh stand in each other's place, in all equations"
        yield Hypothesis("all.exchanged", "activation", sentence, cell, equations=tuple(wrong.items()))


def _coupled(cell: Program) -> Iterator[Hypothesis]:
    """Gates of their own taken for coupled ones."""
    known = {d.name: d.symbol for d in cell}
    if not {"f", "i", "c", "c_tilde"} <= known.keys() or not {"a_f", "a_i"} <= known.keys():
        return
    f, i, candidate = (known[name] for name in ("f", "i", "c_tilde"))
    before = next(b for b, a in cell.recurrence if a.name == "c")
    if cell["c"].expression == add(hadamard(f, before), hadamard(i, candidate)):
        for gate, other, wrong in (
            ("f", "i", add(hadamard(one_minus(i), before), hadamard(i, candidate))),
            ("i", "f", add(hadamard(f, before), hadamard(one_minus(f), candidate))),
        ):
            words = {"f": "forget", "i": "input"}
            sentence = f"{gate} is 1 − {other}: the {words[gate]} gate is coupled to the {words[other]} gate"
            yield Hypothesis(f"coupled-{gate}", "coupling", sentence, cell, equations=(("c", wrong),))


def _constants(cell: Program) -> Iterator[Hypothesis]:
    """Constants of the equations with other values: eps, a share, a limit; that one is ignored is another matter."""
    for symbol, number in cell.constants:
        value = float(number)
        limit = symbol.name.startswith("limit")
        others = EPSILONS if symbol.name == "eps" else (value / 2, 2 * value, *([] if limit else [1 - value]))
        for other in others:
            if other != value:
                what = f"{symbol.name} is {other:g} where the spec has {value:g}"
                yield Hypothesis(f"{symbol.name}-{other:g}", "constant", what, cell, constants=((symbol.name, other),))


def _others(cell: Program) -> Iterator[Hypothesis]:
    """Other cells of the catalogue with the same parameters and states."""
    shapes = {p.name: p.shape for p in cell.parameters}
    for name, entry in CATALOGUE.items():
        other = catalogue_cell(name)
        same = {p.name: p.shape for p in other.parameters} == shapes and other.recurrence == cell.recurrence
        if same and other.definitions != cell.definitions:
            forward, backward = canonical(other)
            wrap = Wrap(forward=lambda _, f=forward: f, backward=lambda _, b=backward: b)  # type: ignore[misc]
            yield Hypothesis(f"cell-{name}", "cell", f"it is the cell {name}: {entry.line}", cell, wraps=(wrap,))
