"""Accuracy contracts as people declare them, in place of the default of each format: in a TOML file or in Python.

    products = "tf32"                  the inputs of every product are rounded to that first

    [functions]
    tanh = { error = 1e-3 }            within 1e-3, and no more is promised
    sigmoid = { ulps = 2 }             within two units in the last place

    [bfloat16]                         what holds in one format alone
    accumulation = "bfloat16"

Keys outside a format's table hold in every format. What is not said is as in the default contract.
"""

import difflib
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lstm_spec.compute.accuracy import FORMATS, Accuracy, AccuracyError, accuracy

UNITS: Mapping[str, float] = MappingProxyType(
    {**{name: accuracy(name).unit for name in FORMATS}, "tf32": accuracy("float16").unit}
)
"""The unit roundoffs that go by a name; TF32 has the significand of float16."""

KEYS = ("unit", "accumulation", "products", "partials", "functions")

Contracts = Mapping[str, Accuracy]
"""An accuracy contract for every format, by its name."""

DEFAULT: Contracts = MappingProxyType({name: accuracy(name) for name in FORMATS})

Given = str | PathLike[str] | Mapping[str, Any] | None


def contracts(given: Given = None) -> Contracts:
    """Return the contract of every format.

    given: the path of a TOML file, or a mapping with its keys; None for the default ones. Raises AccuracyError for a
    file that cannot be read, and for a key or a value that makes no contract, with what is expected there.

    >>> contracts({"functions": {"tanh": {"error": 1e-3}}})["float32"].functions["tanh"]
    (0.0, 16777.216)
    >>> contracts({"float16": {"accumulation": "float16"}})["float16"].accumulation == 2.0**-11
    True
    """
    if given is None:
        return DEFAULT
    origin = origin_of(given)
    table = given if isinstance(given, Mapping) else _load(Path(given))
    _check_keys(table, (*KEYS, *FORMATS), origin)
    common = {key: value for key, value in table.items() if key in KEYS}
    return MappingProxyType({name: _declared(name, common, table.get(name, {}), origin) for name in FORMATS})


def origin_of(given: Given) -> str:
    """Return where contracts come from, in words: a file, or what was given in Python, or the default."""
    if given is None:
        return "default"
    return "the accuracy contract" if isinstance(given, Mapping) else str(given)


def told(contract: Accuracy) -> dict[str, Any]:
    """Return what a contract says, with the keys of a file; functions that are exact are left out."""
    functions = {name: _told_function(contract, *accuracies) for name, accuracies in contract.functions.items()}
    numbers = {key: getattr(contract, key) for key in KEYS[:-1]}
    return {**numbers, "functions": {name: said for name, said in functions.items() if any(said.values())}}


def differences(contract: Accuracy) -> list[str]:
    """Return in words what a contract says otherwise than the default one of its format.

    >>> differences(contracts({"products": "tf32", "functions": {"tanh": {"error": 1e-3}}})["float32"])
    ['products in tf32', 'tanh within 0.001']
    """
    usual = accuracy(contract.format)
    found = [
        f"{key} in {_name(getattr(contract, key), key)}"
        for key in ("unit", "accumulation", "products")
        if getattr(contract, key) != getattr(usual, key)
    ]
    if contract.partials != usual.partials:
        found.append(f"{contract.partials} partial results rounded")
    for name, accuracies in contract.functions.items():
        if accuracies != usual.functions[name]:
            said = _told_function(contract, *accuracies)
            parts = [f"{said['ulps']:g} ulp"] * bool(said["ulps"]) + [f"{said['error']:g}"] * bool(said["error"])
            found.append(f"{name} within {' + '.join(parts) or '0'}")
    return found


def _told_function(contract: Accuracy, ulps: float, absolute: float) -> dict[str, float]:
    return {"ulps": ulps, "error": absolute * contract.unit}


def _name(unit: float, key: str) -> str:
    # TF32, which has the unit of float16, is a format of products alone.
    names = [name for name, value in UNITS.items() if value == unit and (name != "tf32" or key == "products")]
    return names[-1] if names else f"{unit:.2g}"


def _load(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AccuracyError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise AccuracyError(f"{path}: is not TOML: {error}") from None


def _declared(name: str, common: Mapping[str, Any], own: Any, origin: str) -> Accuracy:
    contract, place = accuracy(name), f"{origin}: [{name}]"
    _check(isinstance(own, Mapping), place, "a table", own)
    _check_keys(own, KEYS, place)
    functions = dict(contract.functions)
    said = {**common, **{key: value for key, value in own.items() if key != "functions"}}
    unit = _unit(said["unit"], f"{place}: unit") if "unit" in said else contract.unit
    _check(unit > 0, f"{place}: unit", "a unit roundoff above 0", unit)
    for table, where in ((common.get("functions", {}), origin), (own.get("functions", {}), place)):
        _check(isinstance(table, Mapping), f"{where}: functions", "a table of functions", table)
        _check_keys(table, functions, f"{where}: functions")
        functions |= {key: _function(value, f"{where}: functions.{key}", unit) for key, value in table.items()}
    accumulation, products = (
        _unit(said.get(key, getattr(contract, key)), f"{place}: {key}") for key in ("accumulation", "products")
    )
    partials = said.get("partials", contract.partials)
    counted = isinstance(partials, int) and not isinstance(partials, bool) and partials >= 0
    _check(counted, f"{place}: partials", "a whole number, 0 or more", partials)
    exact = MappingProxyType(functions)
    return replace(
        contract, unit=unit, accumulation=accumulation, products=products, partials=partials, functions=exact
    )


def _unit(value: Any, place: str) -> float:
    if isinstance(value, str) and value in UNITS:
        return UNITS[value]
    wanted = f"a unit roundoff below 1, or one of {', '.join(UNITS)}"
    _check(_is_number(value) and 0 <= value < 1, place, wanted, value)
    return float(value)


def _function(value: Any, place: str, unit: float) -> tuple[float, float]:
    """Return (k, a): an error of k units in the last place, and of a unit roundoffs."""
    _check(isinstance(value, Mapping) and bool(value), place, "a table such as { ulps = 4, error = 1e-6 }", value)
    _check_keys(value, ("ulps", "error"), place)
    for key, number in value.items():
        _check(
            _is_number(number) and 0 <= number <= sys.float_info.max, f"{place}.{key}", "a number, 0 or more", number
        )
    return float(value.get("ulps", 0.0)), float(value.get("error", 0.0)) / unit


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check(holds: bool, place: str, wanted: str, value: Any) -> None:
    if not holds:
        raise AccuracyError(f"{place}: expected {wanted}, got {value!r}")


def _check_keys(table: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            close = difflib.get_close_matches(str(key), names, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise AccuracyError(f"{place}: there is no {key}; {hint}expected one of {', '.join(names)}")
