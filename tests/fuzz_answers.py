"""Malformed answers of a program, made from good ones: ``python -m tests.fuzz_answers`` writes the corpus anew.

The corpus has one answer for each thing that is said of them. A test reads it, and as many fresh ones.
"""

import json
import random
import re
from copy import deepcopy
from pathlib import Path

import numpy as np

from lstm_spec.targets import protocol
from lstm_spec.targets.calls import Arguments, MisbehaviourError
from lstm_spec.targets.process import UnreadableError

CORPUS = Path(__file__).parent / "corpus" / "answers"
ONE = np.array([[0.5, -1.25]])
ASKED = Arguments({"W": ONE, "b": ONE[0]}, [("x", ONE[None]), ("h0", ONE)])
NUMBER = 7
NAMES = {"forward": ("y", "h"), "backward": ("dparams", "dx", "dh0")}
TOKENS = [b"NaN", b"Infinity", b"null", b"true", b"1e999", b"-", b"[[[[", b"]", b"{", b'"', b"\\ud800", b"9" * 400]
VALUES = [None, True, "1", "NaN", {}, [], [[]], 10**400, -1, 1.5, {"shape": [2], "data": "AAAA"}, {"message": 3}]


def good(method, encoding):
    """Return the answer of a correct program."""
    arrays = {name: protocol.written(ONE, encoding) for name in NAMES[method] if name != "dparams"}
    dparams = {name: protocol.written(array, encoding) for name, array in ASKED.params.items()}
    return {"id": NUMBER, "arrays": arrays, **({"dparams": dparams} if method == "backward" else {})}


def malformed(rng):
    """Return the method that was asked, and the line that comes."""
    method = rng.choice(list(NAMES))
    message = good(method, rng.choice(protocol.ENCODINGS))
    text = json.dumps(message).encode()
    if rng.random() < 0.5:
        for _ in range(rng.randint(1, 2)):
            change(message, rng)
        return method, json.dumps(message).encode()
    at, end = sorted(rng.randrange(len(text)) for _ in range(2))
    kinds = (
        lambda: text[:at],
        lambda: text[:at] + text[end:],
        lambda: text[:end] + text[at:],
        lambda: text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :],
        lambda: text[:at] + rng.choice(TOKENS) + text[at:],
        lambda: text[:at] + rng.choice(TOKENS) * 300 + text[at:],
    )
    return method, rng.choice(kinds)()


def change(value, rng):
    """Change something in a message, wherever in it."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not keys:
        return
    key = rng.choice(keys)
    if isinstance(value[key], dict | list) and rng.random() < 0.6:
        change(value[key], rng)
    elif rng.random() < 0.3:
        del value[key]
    elif rng.random() < 0.3 and isinstance(value, dict):
        value[key + "_"] = value[key]
    else:
        value[key] = deepcopy(rng.choice(VALUES))


def read(method, line):
    """Return what is said of an answer, None where it is accepted."""
    try:
        message = protocol.answer_in(line, NUMBER)
        protocol.results_in(message, method, ASKED, NAMES[method])
    except (MisbehaviourError, UnreadableError) as error:
        return str(error)
    return None


def kind(said):
    """Return a sentence without what differs from answer to answer."""
    shown = r"(?<=\bdata ).*(?=;)|(?<=shape ).*(?=;)|(?<=id ).*(?= to)|^'.*(?=, which)|\".*\"|[\d,×]+|\bd?[Wbxyh]0?\b"
    return re.sub(shown, "", said).strip()


def main():
    """Write the corpus: the shortest answer of each kind."""
    rng, found = random.Random(0), {}
    for _ in range(20_000):
        method, line = malformed(rng)
        said = read(method, line)
        if said and (kind(said) not in found or len(line) < len(found[kind(said)][1])):
            found[kind(said)] = method, line
    CORPUS.mkdir(parents=True, exist_ok=True)
    for old in CORPUS.iterdir():
        old.unlink()
    for number, (method, line) in enumerate(found.values()):
        (CORPUS / f"{number:02}-{method}").write_bytes(line)


if __name__ == "__main__":
    main()
