"""Write any Program: as text, LaTeX, Markdown, MathML, or runnable source."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from textwrap import indent
from types import MappingProxyType

from lstm_spec.calculus.bptt import ThroughTime
from lstm_spec.spec.notations import TIMES, Notation
from lstm_spec.spec.notations import notation as notation_of
from lstm_spec.spec.program import Program, cell_of, names_of
from lstm_spec.spec.scalars import WriteError
from lstm_spec.spec.typeset import Tree, plain
from lstm_spec.write.dialects import DIALECTS
from lstm_spec.write.formulas import Line, chosen_equations, lines
from lstm_spec.write.latex import latex
from lstm_spec.write.mathml import inline, table
from lstm_spec.write.source import source
from lstm_spec.write.through_time import Passage, passages


def _text(equations: list[Line]) -> str:
    return "".join(f"{plain(left)} = {plain(right)}\n" for left, right in equations)


def _aligned(equations: list[Line]) -> str:
    return " \\\\\n".join(f"{latex(left)} &= {latex(right).strip()}" for left, right in equations)


def _latex(equations: list[Line]) -> str:
    return f"\\begin{{align}}\n{_aligned(equations)}\n\\end{{align}}\n"


def _markdown(equations: list[Line]) -> str:
    return f"$$\n\\begin{{aligned}}\n{_aligned(equations)}\n\\end{{aligned}}\n$$\n"


_TYPESET: Mapping[str, Callable[[list[Line]], str]] = MappingProxyType(
    {"text": _text, "latex": _latex, "markdown": _markdown, "mathml": table}
)


def _in_dollars(tree: Tree) -> str:
    return f"${latex(tree).strip()}$"


_INLINE: Mapping[str, Callable[[Tree], str]] = MappingProxyType(
    {"text": plain, "latex": _in_dollars, "markdown": _in_dollars, "mathml": inline}
)


def _under_heading(passage: Passage, format: str) -> str:
    heading = "".join(part if isinstance(part, str) else _INLINE[format](part) for part in passage.heading)
    body = _TYPESET[format](passage.lines)
    if format == "text":
        return f"{heading}\n{indent(body, '  ')}"
    if format == "mathml":
        return f"<p>{heading}</p>\n{body}"
    return f"{heading}\n{body}" if format == "latex" else f"{heading}\n\n{body}\n"


FORMATS = (*_TYPESET, *DIALECTS)
"""The formats that ``write`` knows."""


def write(
    program: Program | ThroughTime,
    *,
    format: str = "text",
    notation: str | Path | Notation = "design",
    level: str = "matrix",
    only: Iterable[str] | None = None,
    time: str | None = None,
) -> str:
    r"""Return the equations of a Program in a format; of a backward one those of the adjoints.

    program: may be backpropagation through time too, whose steps, sums and ends each get a heading; it is written at
    the matrix level, in a format that is no source.

    format: "text", "latex", "markdown", "mathml", or runnable source "numpy", "torch", "jax". notation: "design",
    "colah", "greff", "pytorch", "keras", a FILE.toml, or a Notation; source keeps the names of the parameters. level:
    "matrix", or "unit" for scalar equations of unit k with explicit sums, indices counted from 0. only: the names to
    print; source returns them. time: "prime", "subscript" or "superscript"; the notation's own by default,
    which for the design's is primes in text and subscripts elsewhere.

    Raises WriteError for a choice that does not exist and for an operator without a rule, NotationError for a notation
    that does not exist or that writes two symbols alike.

    >>> from lstm_spec.spec.cells import lstm
    >>> print(write(lstm(), only=["c", "h"]), end="")
    c = f∘c' + i∘c̃
    h = o∘tanh(c)
    >>> print(write(lstm(), format="latex", notation="colah", only=["z", "c"]), end="")
    \begin{align}
    z_t &= [x_t, h_{t-1}] \\
    C_t &= f_t\ast C_{t-1} + i_t\ast \tilde{C}_t
    \end{align}
    >>> print(write(lstm(), level="unit", only=["a_f", "c"]), end="")
    a_{f,k} = Σ_{j=0}^{n−1} W_{f,k,j} x_j + Σ_{j=0}^{m−1} W_{f,k,n+j} h_j' + b_{f,k}
    c_k = f_k c_k' + i_k c̃_k
    """
    if format not in FORMATS:
        close = get_close_matches(str(format), FORMATS, 1)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        raise WriteError(f'there is no format "{format}", it is one of {", ".join(FORMATS)}{hint}')
    program = program if isinstance(program, ThroughTime) else cell_of(program, "write")
    if isinstance(program, ThroughTime) and (format in DIALECTS or level != "matrix"):
        asked = f'format "{format}"' if format in DIALECTS else f'level "{level}"'
        raise WriteError(
            f"backpropagation through time is written for whole layer vectors as {', '.join(_TYPESET)}, got {asked}; "
            "write backward(cell), one step of it, in the others"
        )
    if format in DIALECTS:
        assert isinstance(program, Program)
        returns = None if only is None else tuple(d.name for d in chosen_equations(program, only))
        return source(program, dialect=DIALECTS[format], returns=returns)
    chosen = notation_of(notation)
    if time is not None:
        if time not in TIMES:
            raise WriteError(f"time is one of {', '.join(TIMES)}, got {time!r}")
        chosen = replace(chosen, time=time)
    if format != "text":
        chosen = chosen.in_type()
    if isinstance(program, ThroughTime):
        names = None if only is None else names_of(only)
        found = passages(program, notation=chosen, only=names)
        return "".join(_under_heading(passage, format) for passage in found)
    return _TYPESET[format](lines(program, notation=chosen, level=level, only=only))
