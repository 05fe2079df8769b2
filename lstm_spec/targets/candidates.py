"""All layouts in which arrays of given names and shapes may hold the parameters of a cell."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import permutations, product
from math import prod
from typing import Any

from lstm_spec.spec.names import parse_name
from lstm_spec.spec.program import Program
from lstm_spec.targets.held import concat_of
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.packing import LayoutError, Shape

Shapes = Mapping[str, Shape]

OFFSETS = (0.0, 1.0, -1.0)
"""What an implementation may add to the forget gate by itself."""

_PLACEHOLDER = "{gate}"


def candidates(cell: Program, sizes: Mapping[str, int], shapes: Shapes) -> Iterator[Layout]:
    """Yield the layouts whose arrays have these names and shapes, the usual ones first; states and axes are left open.

    >>> from lstm_spec.spec.cells import lstm
    >>> found = list(candidates(lstm(), {"n": 2, "m": 3}, {"k": (2, 12), "r": (3, 12), "bias": (12,)}))
    >>> len(found), found[0].transposed, dict(found[0].names)
    (72, True, {'W': 'k', 'R': 'r', 'b': 'bias'})
    """
    gates = _gates(cell)
    if not _as_many(cell, sizes, shapes):
        return
    for form in _forms(cell, gates):
        for named in _named(form, cell, sizes, shapes, gates):
            orders = permutations(gates) if form.gates else [()]
            for order, peepholes in product(orders, _peepholes(form)):
                packed = replace(named, gates="".join(order), peepholes=peepholes)
                for offset in OFFSETS if "f" in gates and _biased(cell) else (0.0,):
                    yield replace(packed, forget_offset=offset)


def _gates(cell: Program) -> tuple[str, ...]:
    kernels = [p for p in cell.parameters if parse_name(p.name).base == "W" and p.shape == cell.parameters[0].shape]
    return tuple(parse_name(p.name).subscript for p in kernels)


def _as_many(cell: Program, sizes: Mapping[str, int], shapes: Shapes) -> bool:
    """Tell whether arrays have as many numbers as the parameters, or as many more as there are biases."""
    own = cell.dimensions(**sizes)
    count = sum(prod(shape) for shape in own.values())
    biases = sum(prod(shape) for name, shape in own.items() if parse_name(name).base == "b")
    return sum(map(prod, shapes.values())) in (count, count + biases)


def _biased(cell: Program) -> bool:
    return any(parse_name(p.name).base == "b" for p in cell.parameters)


def _forms(cell: Program, gates: tuple[str, ...]) -> Iterator[Layout]:
    """Yield the ways to hold a cell, whatever the names and the orders: packed first, then one array per gate."""
    biases: tuple[Any, ...] = (1, 2, "concatenated") if _biased(cell) else (None,)
    peeping = any(parse_name(p.name).base == "p" for p in cell.parameters)
    joint = [("joint", "xh"), ("joint", "hx")] if concat_of(cell) or "z" in cell.symbols else []
    for packed, (kernels, concat), transposed, bias, together, axes in product(
        (True, False),
        (("separate", None), *joint),
        (False, True),
        biases,
        (True, False) if peeping else (False,),
        ("TBI", "TDBI"),
    ):
        with suppress(LayoutError):
            yield Layout(
                gates="".join(gates) if packed else "",
                kernels=kernels,  # type: ignore[arg-type]
                concat=concat,  # type: ignore[arg-type]
                transposed=transposed,
                biases=bias,
                peepholes="".join(g for g in "iof" if f"p_{g}" in cell.symbols) if together else "",
                axes=axes,
            )


def _peepholes(form: Layout) -> list[str]:
    return ["".join(order) for order in permutations(form.peepholes)] if form.peepholes else [""]


def _named(
    form: Layout, cell: Program, sizes: Mapping[str, int], shapes: Shapes, gates: tuple[str, ...]
) -> Iterator[Layout]:
    """Yield a form with every way to give its arrays these names."""
    try:
        wanted = form.shapes(cell.dimensions(**sizes), concat=concat_of(cell))
    except LayoutError:
        return
    if sorted(wanted.values()) != sorted(shapes.values()):
        return
    if form.gates and not any(_gate_in(name, gates) for name in wanted):
        yield from _made(form, _assigned(wanted, shapes))
        return
    if len(gates) == 1:
        # One gate in an array of its own is one gate packed.
        return
    roles = {_role(name, gates): wanted[name] for name in wanted}
    for tokens, templates in _templates(shapes, len(gates)):
        alone = {name: shape for name, shape in shapes.items() if not any(name in own for own in templates.values())}
        patterned = {template: shapes[next(iter(own))] for template, own in templates.items()}
        letters = [
            {gate: token for gate, token in zip(gates, order, strict=True) if gate != token}
            for order in permutations(tokens)
        ]
        named = _assigned(roles, {**patterned, **alone})
        yield from _made(form, ({**names, **own} for names in named for own in letters))


def _made(form: Layout, names: Iterable[Mapping[str, str]]) -> Iterator[Layout]:
    """Yield a form with each of these tables of names that it can have."""
    for table in names:
        with suppress(LayoutError):
            yield replace(form, names=table)


def _gate_in(name: str, gates: tuple[str, ...]) -> bool:
    base, _, gate = name.rpartition("_")
    return bool(base) and gate in gates


def _role(name: str, gates: tuple[str, ...]) -> str:
    return name.rpartition("_")[0] if _gate_in(name, gates) and name != "W_p" else name


def _assigned(wanted: Shapes, shapes: Shapes) -> Iterator[dict[str, str]]:
    """Yield the ways to give arrays of wanted shapes names that have those shapes."""
    roles = list(wanted)
    if len(roles) != len(shapes):
        return
    by_shape: dict[Shape, list[str]] = {}
    for name, shape in shapes.items():
        by_shape.setdefault(shape, []).append(name)
    groups = {shape: [role for role in roles if wanted[role] == shape] for shape in by_shape}
    if any(len(groups[shape]) != len(names) for shape, names in by_shape.items()):
        return
    for orders in product(*(permutations(names) for names in by_shape.values())):
        pairs = (zip(groups[shape], order, strict=True) for shape, order in zip(by_shape, orders, strict=True))
        found = {role: name for group in pairs for role, name in group}
        yield {role: found[role] for role in roles}


def _templates(shapes: Shapes, count: int) -> Iterator[tuple[Sequence[str], dict[str, dict[str, str]]]]:
    """Yield sets of tokens, one for each gate, with the templates that they fill: "W_{gate}", "b_{gate}"."""
    found: dict[tuple[str, ...], dict[str, dict[str, str]]] = {}
    parts: dict[tuple[str, str, Shape], dict[str, str]] = {}
    for name, shape in shapes.items():
        for start in range(len(name)):
            for end in range(start + 1, len(name) + 1):
                parts.setdefault((name[:start], name[end:], shape), {})[name[start:end]] = name
    for (before, after, _), own in parts.items():
        if len(own) == count:
            tokens = tuple(sorted(own))
            found.setdefault(tokens, {})[f"{before}{_PLACEHOLDER}{after}"] = {
                name: token for token, name in own.items()
            }
    seen = set()
    for tokens in sorted(found, key=lambda t: (-sum(map(len, found[t].values())), sum(map(len, t)))):
        # "_f" and "_i" tell the same arrays apart as "f" and "i", which are shorter.
        groups = frozenset(frozenset(own) for own in found[tokens].values())
        if groups not in seen:
            seen.add(groups)
            yield tokens, found[tokens]
