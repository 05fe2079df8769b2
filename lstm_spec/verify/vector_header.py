"""Test vectors as a C header: constant arrays and a table of them, with numbers that are exact in hexadecimal."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_spec.spec.inference import infer_dimensions
from lstm_spec.verify.cases import Array
from lstm_spec.verify.vectors import Vector, VectorSet

if TYPE_CHECKING:
    from lstm_spec.verify.vector_files import Written

_HEAD = """\
/* Test vectors of {spec} in {dtype}, layout {layout}: {count} cases, row-major arrays.
   A result is right if |result - expected| <= allowed at every number. Needs C99. */
#ifndef LSTM_SPEC_VECTORS_H
#define LSTM_SPEC_VECTORS_H

#define LSTM_SPEC_VECTORS {count}

typedef struct {{
  const char *id;
  int steps, rows, {sizes};
  const int *lengths; /* the steps of every row, or 0 where all have T */
{fields}}} lstm_spec_vector;
"""


def header(found: VectorSet, written: Mapping[str, "Written"]) -> str:
    """Return a C header with vectors in the layout of their set.

    Every vector is a struct with a pointer for each array: what is given by its name, what is expected by its own, and
    with ``_allowed`` after it how far off each number may be. ``size_n``, ``size_m`` are the sizes of the cell.
    """
    named = {name: _fields(vector) for name, vector in written.items()}
    fields = list(next(iter(named.values())))
    about = {
        "spec": found.cell.name,
        "dtype": found.dtype,
        "layout": found.layout.name,
        "count": len(written),
        "sizes": ", ".join(f"size_{s.name}" for s in found.cell.sizes),
        "fields": "".join(f"  const double *{field};\n" for field in fields),
    }
    arrays = (_array(f"{name}_{field}", a) for name, own in named.items() for field, a in own.items())
    ends = (_ends(v) for v in found.vectors if v.case.lengths is not None)
    rows = (_row(v, found, fields) for v in found.vectors)
    table = "\nstatic const lstm_spec_vector lstm_spec_vectors[LSTM_SPEC_VECTORS] = {\n"
    return "".join([_HEAD.format(**about), *arrays, *ends, table, *rows, "};\n\n#endif\n"])


def _fields(vector: "Written") -> dict[str, Array]:
    given = {name: a for name, a in vector.inputs.items() if name != "lengths"}
    allowed = {f"{name}_allowed": a for name, a in vector.allowed.items()}
    return {_identifier(name): a for name, a in {**given, **vector.expected, **allowed}.items()}


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def _array(name: str, array: Array) -> str:
    numbers = ", ".join(float(v).hex() for v in np.ravel(array))
    return f"\nstatic const double {name}[] = {{{numbers}}};"


def _ends(vector: Vector) -> str:
    assert vector.case.lengths is not None
    return f"\nstatic const int {vector.id}_lengths[] = {{{', '.join(map(str, vector.case.lengths))}}};\n"


def _row(vector: Vector, found: VectorSet, fields: list[str]) -> str:
    case = vector.case
    sizes = infer_dimensions(found.cell, {name: p.shape for name, p in case.params.items()})
    numbers = [case.T, case.B, *(sizes[s.name] for s in found.cell.sizes)]
    lengths = f"{vector.id}_lengths" if case.lengths is not None else "0"
    pointers = ", ".join(f"{vector.id}_{field}" for field in fields)
    return f'  {{"{vector.id}", {", ".join(map(str, numbers))}, {lengths}, {pointers}}},\n'
