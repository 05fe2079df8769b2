"""What is applied entry by entry: a function by name, a SymPy Function, or a formula of one's own.

A formula is read once, where it is given: its functions become those that have every rule (shape, derivative, source,
formula, rounding), its decimals become the numbers that they stand for, and what has no rule is refused in a sentence.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from types import MappingProxyType
from typing import Any

from sympy import (
    Abs,
    Add,
    Basic,
    Expr,
    Float,
    Function,
    Heaviside,
    Integer,
    Lambda,
    Max,
    Min,
    Mul,
    NumberSymbol,
    Pow,
    Rational,
    Symbol,
    atan,
    cos,
    cosh,
    erf,
    exp,
    log,
    sign,
    sin,
    sinh,
    tan,
    tanh,
)
from sympy.core.function import AppliedUndef

from lstm_spec.spec.functions import (
    SLOTS,
    elu,
    hard_sigmoid,
    identity,
    leaky_relu,
    magnitude,
    maximum,
    minimum,
    relu,
    sigmoid,
    softplus,
    softsign,
    step,
    thresholded_relu,
)


def _activation(application: Any) -> Lambda:
    return Lambda((SLOTS[0],), application)


_s = SLOTS[0]
ACTIVATIONS = MappingProxyType(
    {
        "sigmoid": _activation(sigmoid(_s)),
        "tanh": _activation(tanh(_s)),
        "hard_sigmoid": _activation(hard_sigmoid(_s, Rational(1, 6), Rational(1, 2))),
        "hard_sigmoid_onnx": _activation(hard_sigmoid(_s, Rational(1, 5), Rational(1, 2))),
        "relu": _activation(relu(_s)),
        "identity": _activation(identity(_s)),
        "leaky_relu": _activation(leaky_relu(_s, Rational(1, 100))),
        "thresholded_relu": _activation(thresholded_relu(_s, Integer(1))),
        "elu": _activation(elu(_s, Integer(1))),
        "softplus": _activation(softplus(_s)),
        "softsign": _activation(softsign(_s)),
        "exp": _activation(exp(_s)),
        "log": _activation(log(_s)),
    }
)
"""The elementwise functions that options name, each a function of one argument."""


class FunctionError(ValueError):
    """What cannot be applied entry by entry; the message says why, and what can."""


_AS_THEY_ARE = (Add, Mul, Pow, exp, log, tanh, sin, cos, atan, erf)
"""What has every rule as it is."""

_MADE_OF = (
    "numbers, sums, products, quotients, whole and half powers, exp, log, sqrt, tanh, sinh, cosh, sin, cos, tan, atan, "
    "erf, Abs, Max, Min, sign and Heaviside of SymPy, and sigmoid, relu and the others of lstm_spec.spec.functions"
)


def elementwise(function: Any, arity: int = 1) -> Lambda:
    """Return ``function`` as a Lambda over the first ``arity`` slots, made of functions that have every rule.

    function: a name in ``ACTIVATIONS``, a SymPy Function class such as ``sympy.tanh``, or a Lambda.
    Raises FunctionError for an unknown name, with the names there are, for another number of arguments, and for a
    formula that has no rules.

    >>> from sympy import Max
    >>> s = Symbol("s")
    >>> elementwise(Lambda(s, Max(s, 0.25 * s))).expr
    maximum(s/4, s)
    """
    if isinstance(function, str):
        if function not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise FunctionError(f'there is no activation "{function}"; the ones by name are {known}')
        return ACTIVATIONS[function]
    if isinstance(function, Lambda):
        return _read(function, arity)
    if isinstance(function, type) and issubclass(function, Basic):
        try:
            return _read(Lambda(SLOTS[:arity], function(*SLOTS[:arity])), arity)
        except TypeError:
            raise FunctionError(
                f"{function.__name__} cannot be applied to {arity} argument{'s' * (arity > 1)} alone: "
                "give a Lambda that puts its constants in"
            ) from None
    raise FunctionError(f"an activation is a name, a SymPy Function or a Lambda, got {function!r}")


@lru_cache(maxsize=4096)
def _read(function: Lambda, arity: int) -> Lambda:
    variables, body = function.variables, function.expr
    if len(variables) != arity:
        names = " and ".join(map(str, variables))
        raise FunctionError(
            f"{body} is a function of {len(variables)} argument{'s' * (len(variables) > 1)} ({names}), "
            f"but is applied to {arity}"
        )
    if not isinstance(body, Expr):
        raise FunctionError(f"{body} is a condition and no number; {_remedy()}")
    if caught := body.free_symbols.difference(variables) & {*SLOTS}:
        raise FunctionError(f"the constant {min(caught, key=str)} in {body} has the name of an argument: rename it")
    slots = SLOTS[:arity]
    # Of a real argument |s|² is s², and |s| has a derivative.
    found = _understood(body.xreplace(dict(zip(variables, slots, strict=True))))
    for variable in variables:
        if not body.has(variable):
            raise FunctionError(f"{body} does not read its argument {variable}: it is a constant and no function")
    return Lambda(slots, found)


def _remedy() -> str:
    return f"a function is made of {_MADE_OF}"


def _understood(e: Expr) -> Expr:
    if e.is_Atom:
        return _number(e)
    if isinstance(e, AppliedUndef):
        raise FunctionError(f"{e.func} is a name without a definition; {_remedy()}")
    if isinstance(e, Pow) and not e.is_number and not (2 * e.exp).is_Integer:
        raise FunctionError(f"{e} is no whole or half power; exp({e.exp}*log({e.base})) says the same where it is one")
    # A function class of the user's own brings its derivative along.
    own = isinstance(e, Function) and not type(e).__module__.startswith("sympy.")
    parts = [_understood(a) for a in e.args] if own or isinstance(e, _AS_THEY_ARE) else []
    if parts:
        return e if tuple(parts) == e.args else e.func(*parts)
    for kinds, meaning in _MEANINGS.items():
        if isinstance(e, kinds):
            return _understood(meaning(e))
    raise FunctionError(f"{e.func.__name__} in {e} has no rules here; {_remedy()}")


def _number(e: Expr) -> Expr:
    if isinstance(e, Float) and e.is_finite:
        return Rational(repr(float(e)))
    if isinstance(e, Symbol | NumberSymbol) or (e.is_Rational and e.is_finite):
        return e
    raise FunctionError(f"{e} is no number that a function can be made of; {_remedy()}")


def _unit_step(e: Heaviside) -> Expr:
    argument, at_zero = e.args
    return (1 - at_zero) * step(argument) + at_zero * (1 - step(-argument))


_MEANINGS: Mapping[Any, Callable[[Any], Expr]] = MappingProxyType(
    {
        Max: lambda e: reduce(maximum, _moving_first(e.args)),
        Min: lambda e: reduce(minimum, _moving_first(e.args)),
        Abs: lambda e: magnitude(*e.args),
        sign: lambda e: step(*e.args) - step(-e.args[0]),
        Heaviside: _unit_step,
        (sinh, cosh): lambda e: e.rewrite(exp),
        tan: lambda e: sin(*e.args) / cos(*e.args),
    }
)
"""What functions of SymPy are in terms of those that have rules."""


def _moving_first(arguments: tuple[Expr, ...]) -> list[Expr]:
    """Put constants last, as max(s, 0) is written."""
    return sorted(arguments, key=lambda a: (a.is_number, str(a)))
