"""Test vectors as files: NumPy's, JSON and a C header with the same numbers, and a manifest that says what they are.

Everything is in the layout that was asked for. The same vectors give the same bytes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lstm_spec.compute.rounding import Bounded
from lstm_spec.targets.held import concat_of
from lstm_spec.targets.numpy_files import read_npz
from lstm_spec.verify.cases import Array
from lstm_spec.verify.compare import furthest
from lstm_spec.verify.fit import UsageError
from lstm_spec.verify.vector_header import header
from lstm_spec.verify.vectors import Vector, VectorSet
from lstm_spec.verify.verdict import versions_of

FORMAT = 1
"""The version of the form of the files; it changes when a key changes its meaning."""

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Written:
    """One vector as it is written: arrays by the names of the layout, those expected with their allowed errors."""

    inputs: Mapping[str, Array]
    expected: Mapping[str, Array]
    allowed: Mapping[str, Array]


def write_vectors(found: VectorSet, folder: str | Path) -> list[Path]:
    """Write vectors as vectors.npz, vectors.json and vectors.h beside manifest.json; returns their paths.

    folder: is made if it is not there.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    written = {vector.id: laid_out(found, vector) for vector in found.vectors}
    np.savez(place / "vectors.npz", **dict(_flat(written)))  # type: ignore[arg-type]
    _write(place / "vectors.json", _json(written))
    _write(place / "vectors.h", header(found, written))
    files = [place / f"vectors.{suffix}" for suffix in ("npz", "json", "h")]
    manifest = json.dumps(_manifest(found, files), indent=2, ensure_ascii=False)
    _write(place / MANIFEST, manifest + "\n")
    return [place / MANIFEST, *files]


def _write(path: Path, text: str) -> None:
    # The same bytes on every system: their hashes are in the manifest.
    path.write_text(text, encoding="utf-8", newline="\n")


def laid_out(found: VectorSet, vector: Vector) -> Written:
    """Return a vector in the layout of its set."""
    layout, concat, case = found.layout, concat_of(found.cell), vector.case
    order = layout.states or case.state_names
    dy, *dstates = case.cotangents

    def states(arrays: Any, name: str) -> dict[str, Array]:
        held = layout.to_states(*arrays, order=case.state_names)
        return {name.format(s): a for s, a in zip(order, held, strict=True)}

    def returned(part: str) -> dict[str, Array]:
        values = {name: np.broadcast_to(getattr(b, part), b.value.shape) for name, b in vector.expected.items()}
        gradients = layout.pack_gradients({p: values[f"d{p}"] for p in case.params}, concat=concat)
        return {
            "y": layout.to_y(values["y"]),
            **states([values[s] for s in case.state_names], "{}"),
            **{f"d{name}": d for name, d in gradients.items()},
            "dx": layout.to_x(values["dx"]),
            **states([values[f"d{s}0"] for s in case.state_names], "d{}0"),
        }

    inputs = {
        **layout.pack(case.params, concat=concat),
        "x": layout.to_x(case.x),
        **states(case.states, "{}0"),
        **({} if case.lengths is None else {"lengths": case.lengths}),
        "dy": layout.to_y(dy),
        **states(dstates, "d{}"),
    }
    return Written(inputs, returned("value"), returned("errors"))


def _flat(written: Mapping[str, Written]) -> Iterator[tuple[str, Array]]:
    for name, vector in written.items():
        for part in ("inputs", "expected", "allowed"):
            yield from ((f"{name}/{part}/{key}", array) for key, array in getattr(vector, part).items())


def _json(written: Mapping[str, Written]) -> str:
    """Return vectors as JSON, an array a line; numbers are the shortest decimals that give the same number back."""
    blocks = []
    for name, vector in written.items():
        parts = []
        for part in ("inputs", "expected", "allowed"):
            lines = ",\n".join(
                f"      {json.dumps(key)}: {json.dumps(array.astype(np.float64).tolist())}"
                if key != "lengths"
                else f"      {json.dumps(key)}: {json.dumps(array.tolist())}"
                for key, array in getattr(vector, part).items()
            )
            parts.append(f'    "{part}": {{\n{lines}\n    }}')
        blocks.append(f'  "{name}": {{\n' + ",\n".join(parts) + "\n  }")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _manifest(found: VectorSet, files: list[Path]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "spec": found.cell.name,
        "layout": found.layout.name,
        "dtype": found.dtype,
        "past_length": found.past_length,
        "seed": found.seed,
        "states": list(found.cell.states),
        "clauses": found.clauses,
        "vectors": [
            {
                "id": v.id,
                "regime": v.case.regime,
                "steps": v.case.T,
                "rows": v.case.B,
                "follows": v.follows,
                "clauses": list(v.clauses),
            }
            for v in found.vectors
        ],
        "faults": {"planted": found.faults, "seen": found.faults - len(found.alive), "not_seen": list(found.alive)},
        "versions": versions_of({}),
        "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }


@dataclass(frozen=True)
class Checked:
    """What came of one output of one vector: status "verified", "discrepancy" or "not_claimed", and where it parts.

    ratio: the largest error over allowed error; message: the worst number beside the one expected.
    """

    vector: str
    output: str
    status: str
    ratio: float = 0.0
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        ratio = self.ratio if np.isfinite(self.ratio) else str(self.ratio)
        told = {"vector": self.vector, "output": self.output, "status": self.status}
        return {**told, "ratio": ratio, "message": self.message}


def check_results(folder: str | Path, results: str | Path) -> tuple[Checked, ...]:
    """Hold results that somebody computed elsewhere against the vectors in a folder.

    results: an .npz file with arrays named as "v01/y", "v01/dW_f", …, or a JSON file {"v01": {"y": …}}, in the layout
    of the vectors. What is not in them is not claimed; but y has to be. Raises UsageError or FileError in one sentence
    for files that are damaged or of another form.
    """
    expected = _read(Path(folder))
    given = _results(Path(results))
    wrong = sorted(given.keys() - {f"{v}/{o}" for v, o in expected})
    if wrong:
        known = ", ".join(f"{v}/{o}" for v, o in list(expected)[:3])
        raise UsageError(f"{results} holds {wrong[0]}, which is none of the vectors' outputs; those are {known}, …")
    return tuple(_compared(v, o, given.get(f"{v}/{o}"), *bound) for (v, o), bound in expected.items())


def _compared(vector: str, output: str, got: Array | None, value: Array, allowed: Array) -> Checked:
    if got is None:
        status = "discrepancy" if output == "y" else "not_claimed"
        return Checked(vector, output, status, np.inf if output == "y" else 0.0, "it is not among the results")
    if got.shape != value.shape:
        return Checked(vector, output, "discrepancy", np.inf, f"it has shape {got.shape}; expected {value.shape}")
    # In a layout of somebody else's the axes have no names.
    worst = furthest(output, got, Bounded(value, allowed), tuple(map(str, range(got.ndim))))
    message = f"at [{', '.join(map(str, worst.position.values()))}]: {worst.numbers}"
    return Checked(vector, output, "verified" if worst.ratio <= 1 else "discrepancy", worst.ratio, message)


def _read(folder: Path) -> dict[tuple[str, str], tuple[Array, Array]]:
    """Return value and allowed error by vector and output, from files whose hashes are those of the manifest."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        wanted = manifest["sha256"]["vectors.npz"]
        content = (folder / "vectors.npz").read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"{folder} holds no vectors: there is no {Path(error.filename).name}") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"{folder / MANIFEST} cannot be read as the manifest of vectors") from None
    if hashlib.sha256(content).hexdigest() != wanted:
        raise UsageError(
            f"{folder / 'vectors.npz'} is not the file that {folder / MANIFEST} names: write the vectors again"
        )
    arrays = _numbers(folder / "vectors.npz")
    found: dict[tuple[str, str], tuple[Array, Array]] = {}
    for key, value in arrays.items():
        vector, _, output = key.partition("/expected/")
        allowed = arrays.get(f"{vector}/allowed/{output}")
        if output and (allowed is None or allowed.shape != value.shape):
            raise UsageError(f"{folder / 'vectors.npz'} has no allowed error of {key}")
        if output and allowed is not None:
            found[vector, output] = (value, allowed)
    if not found:
        raise UsageError(f"{folder / 'vectors.npz'} holds no vectors")
    return found


def _results(path: Path) -> dict[str, Array]:
    if path.suffix == ".npz":
        return _numbers(path)
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return {f"{v}/{o}": np.array(a, np.float64) for v, outputs in read.items() for o, a in outputs.items()}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise UsageError(f'{path} is not of the form {{"v01": {{"y": [[…]], …}}, …}}') from None


def _numbers(path: Path) -> dict[str, Array]:
    return {name: array.astype(np.float64) for name, array in read_npz(path).items()}
