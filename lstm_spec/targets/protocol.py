"""The messages between the verifier and a program in any language: JSON, one object a line.

``docs/protocol.md`` shows every one of them, ``protocol.schema.json`` says what each may hold. Nothing here knows of
processes. What is no message is an ``UnreadableError``; one that says something wrong is a ``MisbehaviourError``.
"""

import base64
import difflib
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_spec.compute.formats import dtype_of
from lstm_spec.targets.calls import Arguments, Array, MisbehaviourError, Results
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.layouts import from_table
from lstm_spec.targets.process import UnreadableError, shown

VERSION = 1

MOST = 1 << 26
"""How many bytes an answer may have: more than the largest cases need."""

MOST_AXES = 8

ENCODINGS = ("nested", "base64")
CLAIMS = ("spec", "layout", "dtypes", "layers", "bidirectional", "past_length", "weights", "versions")
SAID = ("id", "protocol", "encoding", "gradients", *CLAIMS)

_TEXTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How numbers are written that JSON does not have."""


def line(message: Mapping[str, Any]) -> bytes:
    """Return a message as a line."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def hello(number: int) -> dict[str, Any]:
    """Return the first message."""
    return {"id": number, "call": "hello", "protocol": VERSION}


def request(number: int, method: str, arguments: Arguments, encoding: str) -> dict[str, Any]:
    """Return what asks for one call."""
    lengths = {} if arguments.lengths is None else {"lengths": arguments.lengths.tolist()}
    return {
        "id": number,
        "call": method,
        "dtype": arguments.rest[0][1].dtype.name,
        "params": {name: written(array, encoding) for name, array in arguments.params.items()},
        "arrays": {name: written(array, encoding) for name, array in arguments.rest},
        **lengths,
    }


def written(array: Array, encoding: str) -> Any:
    """Return an array as a message holds it.

    >>> written(np.array([[0.5, np.nan]]), "nested")
    [[0.5, 'NaN']]
    >>> written(np.array([[0.5, 1]], np.float16), "base64")
    {'shape': [1, 2], 'data': 'ADgAPA=='}
    """
    if encoding == "nested":
        numbers = array.astype(np.float64)
        return numbers.tolist() if np.isfinite(numbers).all() else _finite(numbers.tolist())
    little = array.byteswap() if sys.byteorder == "big" else array
    return {"shape": list(array.shape), "data": base64.b64encode(little.tobytes()).decode()}


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(part) for part in value]
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def answer_in(text: bytes, number: int) -> dict[str, Any]:
    """Return the answer to a request, from the line that came; raises UnreadableError for what is none."""
    try:
        message = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, _RefusedError) else "which is not JSON"
        raise UnreadableError(f"{shown(text)}, {said},") from None
    if not isinstance(message, dict):
        raise UnreadableError(f"{shown(text)}, which is no JSON object,")
    if "id" not in message:
        raise UnreadableError(f"{shown(text)}, which has no id,")
    if type(message["id"]) is not int or message["id"] != number:
        raise UnreadableError(f"the id {shown(message['id'])} to the request {number}")
    return message


class _RefusedError(ValueError):
    """What the parser of JSON would let pass."""


def _no_constant(name: str) -> float:
    raise _RefusedError(f'which holds {name} where JSON has "{name}" in quotes')


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RefusedError("which holds a key twice")
    return found


def claims_in(message: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what a program says of itself in its first answer, as attributes of a target; raises TargetError.

    ``encoding`` and ``gradients`` are always there. name: of the program, for the sentence.
    """
    try:
        _refuse_error(message, f"{name} answered hello with")
    except MisbehaviourError as error:
        raise TargetError(str(error)) from None
    for key in message:
        if key not in SAID:
            close = difflib.get_close_matches(key, SAID, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(SAID)}"
            raise TargetError(f"{name} says {shown(key)} of itself, which means nothing; {hint}")
    if message.get("protocol") != VERSION:
        raise TargetError(f"{name} speaks protocol {shown(message.get('protocol'))}; expected {VERSION}")
    claims = {key: message[key] for key in CLAIMS if message.get(key) is not None}
    claims |= {"encoding": message.get("encoding", "nested"), "gradients": message.get("gradients", False)}
    if claims["encoding"] not in ENCODINGS:
        raise TargetError(f"{name} says the encoding {shown(claims['encoding'])}; it is one of {', '.join(ENCODINGS)}")
    if type(claims["gradients"]) is not bool:
        raise TargetError(f"{name} says gradients {shown(claims['gradients'])}; it is true or false")
    if isinstance(claims.get("layout"), dict):
        claims["layout"] = from_table(claims["layout"], name)
    if isinstance(claims.get("weights"), dict):
        try:
            claims["weights"] = {key: read(value, key, "float64") for key, value in claims["weights"].items()}
        except MisbehaviourError as error:
            raise TargetError(f"{name} says weights of which {error}") from None
    return claims


def results_in(message: Mapping[str, Any], method: str, arguments: Arguments, names: Sequence[str]) -> Results:
    """Return the arrays of an answer by the names that ``perform`` gives them; raises MisbehaviourError."""
    _refuse_error(message, f"{method} answered with", " on a valid case")
    parts = {"arrays": [name for name in names if name != "dparams"]}
    if "dparams" in names:
        parts["dparams"] = list(arguments.params)
    dtype = arguments.rest[0][1].dtype.name
    _check_keys(f"the answer to {method}", message, ["id", *parts])
    found: Results = {}
    for part, wanted in parts.items():
        _check_keys(part, message[part], wanted)
        mark = "d" if part == "dparams" else ""
        found |= {mark + name: read(message[part][name], mark + name, dtype) for name in wanted}
    return found


def _refuse_error(message: Mapping[str, Any], beginning: str, end: str = "") -> None:
    if "error" not in message:
        return
    error = message["error"]
    text = error.get("message") if isinstance(error, dict) else None
    if not isinstance(text, str):
        raise MisbehaviourError(f'{beginning} an error that is no object with a text as "message"')
    raise MisbehaviourError(f"{beginning} the error {shown(text)}{end}")


def _check_keys(what: str, value: Any, wanted: Iterable[str]) -> None:
    expected = f"expected {', '.join(wanted)}"
    if not isinstance(value, dict):
        raise MisbehaviourError(f"{what} is {kind_of(value)}; expected an object with the keys {', '.join(wanted)}")
    if missing := [key for key in wanted if key not in value]:
        raise MisbehaviourError(f"{what} lacks {', '.join(missing)}; {expected}")
    if extra := [key for key in value if key not in wanted]:
        raise MisbehaviourError(f"{what} has {shown(extra[0])} as well; {expected}")


def read(value: Any, name: str, dtype: str) -> Array:
    """Return an array of a message in either encoding; raises MisbehaviourError for what is none.

    >>> read([[1, "NaN"]], "y", "float32")
    array([[ 1., nan]], dtype=float32)
    """
    if isinstance(value, dict):
        return _from_base64(value, name, dtype_of(dtype))
    if not isinstance(value, list):
        raise MisbehaviourError(f"{name} is {kind_of(value)}; expected an array")
    numbers: list[float] = []
    shape = _shape(value)
    if len(shape) > MOST_AXES:
        raise MisbehaviourError(f"{name} is a list in a list {len(shape)} deep")
    _flatten(value, name, shape, numbers)
    with np.errstate(over="ignore"):
        return np.array(numbers, np.float64).reshape(shape).astype(dtype_of(dtype))


def _shape(value: Any) -> tuple[int, ...]:
    """Return the shape that nested lists have if all are as the first ones."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _flatten(value: Any, name: str, shape: tuple[int, ...], numbers: list[float]) -> None:
    if not shape:
        numbers.append(_number(value, name))
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        held = f"a list of {len(value)}" if isinstance(value, list) else kind_of(value)
        raise MisbehaviourError(f"{name} is ragged: it holds {held} where others are lists of {shape[0]}")
    if len(shape) == 1 and set(map(type, value)) == {float}:
        numbers += value
        return
    for part in value:
        _flatten(part, name, shape[1:], numbers)


def _number(value: Any, name: str) -> float:
    if type(value) in (int, float):
        try:
            return float(value)
        except OverflowError:
            raise MisbehaviourError(f"{name} holds an integer that is no number of any format") from None
    if isinstance(value, str) and value in _TEXTS:
        return _TEXTS[value]
    raise MisbehaviourError(f"{name} holds {kind_of(value)} where a number is expected")


def _from_base64(value: Mapping[str, Any], name: str, dtype: np.dtype[Any]) -> Array:
    _check_keys(name, value, ["shape", "data"])
    shape, data = value["shape"], value["data"]
    sizes = isinstance(shape, list) and all(type(side) is int and 0 <= side < 1 << 31 for side in shape)
    if not sizes or len(shape) > MOST_AXES:
        raise MisbehaviourError(f"{name} has the shape {shown(shape)}; expected a list of sizes")
    try:
        raw = base64.b64decode(data, validate=True) if isinstance(data, str) else None
    except ValueError:
        raw = None
    if raw is None:
        raise MisbehaviourError(f"{name} has the data {shown(data)}; expected base64")
    wanted = math.prod(shape) * dtype.itemsize
    if len(raw) != wanted:
        count = "×".join(map(str, shape)) or "1"
        raise MisbehaviourError(
            f"{name} has data of {len(raw):,} bytes; expected {wanted:,}, {count} numbers of {dtype.itemsize} bytes"
        )
    array = np.frombuffer(raw, dtype).reshape(shape)
    return array.byteswap() if sys.byteorder == "big" else array.copy()


_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def kind_of(value: Any) -> str:
    """Return what a value of JSON is, with its article."""
    return _KINDS.get(type(value), "a number")
