"""Spoilt files, made from good ones by chance: ``python -m tests.fuzz_files`` writes the corpus anew.

``python -m tests.fuzz_files SEED COUNT`` reads COUNT fresh ones of every kind and says what any of them broke. The
corpus has of each kind a file for each thing that is often said of them. A test reads it by the command, and some fresh
ones.
"""

import hashlib
import json
import random
import re
import shutil
import struct
import sys
import tempfile
import time
import traceback
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

import lstm_spec as ls
from lstm_spec.compute.contracts import contracts
from lstm_spec.spec.notations import notation
from lstm_spec.targets.array_files import write_arrays
from lstm_spec.targets.layouts import LAYOUTS, load
from lstm_spec.targets.numpy_files import read_npy
from lstm_spec.targets.originals import usual_cell
from lstm_spec.verify.campaign import read_campaign
from lstm_spec.verify.deviations import read_deviations
from lstm_spec.verify.replay import replay
from lstm_spec.verify.vector_files import check_results
from tests.fuzz_answers import change
from tests.onnx_models import model

CORPUS = Path(__file__).parent / "corpus" / "files"
LARGEST = 2**25
"""How many bytes reading any of the files may take; the good ones take a few thousand."""


@dataclass(frozen=True)
class Kind:
    """A kind of file: a good one, what reads it, and the command that does, with FILE for its name."""

    good: Callable[[Path], bytes]
    read: Callable[[Path], object]
    command: str


def weights(ending, library="pytorch"):
    from tests.test_convert import saved

    def good(folder):
        cell = usual_cell("lstm", 1 if library == "keras" else 2)
        write_arrays(folder / f"good{ending}", saved(LAYOUTS[library], cell))
        return (folder / f"good{ending}").read_bytes()

    return Kind(good, lambda path: ls.convert(path, target="canonical"), "convert FILE --to canonical --no-check")


def packed(folder):
    """A file as Keras saves a whole model."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", weights(".h5", "keras").good(folder))
    return out.getvalue()


def npy(folder):
    np.save(folder / "good.npy", np.ones((3, 2, 3), "f4"))
    return (folder / "good.npy").read_bytes()


def onnx(folder):
    return model().SerializeToString()


def text(value):
    return lambda folder: value.encode()


def vectors(folder):
    """Make vectors of one output, and return good results for them."""
    golden = folder / "golden"
    golden.mkdir(exist_ok=True)
    y = np.linspace(-1, 1, 6).reshape(3, 2, 1)
    np.savez(golden / "vectors.npz", **{"v01/expected/y": y, "v01/allowed/y": np.full_like(y, 1e-12)})
    digest = hashlib.sha256((golden / "vectors.npz").read_bytes()).hexdigest()
    (golden / "manifest.json").write_text(json.dumps({"sha256": {"vectors.npz": digest}}))
    return json.dumps({"v01": {"y": y.tolist()}}).encode()


def manifest(folder):
    """Make vectors, and return their manifest."""
    (folder / "results.json").write_bytes(vectors(folder))
    return (folder / "golden" / "manifest.json").read_bytes()


def hold_manifest(path):
    shutil.copy(path, path.parent / "golden" / "manifest.json")
    check_results(path.parent / "golden", path.parent / "results.json")


def hold_results(path):
    check_results(path.parent / "golden", path)


def forgetful(params, x, h0, c0):
    """An LSTM that does nothing."""
    return np.repeat(h0[None], len(x), 0), h0, c0


def report(folder):
    """A report of somebody's mistake, about a target that is right."""
    found = ls.verify(forgetful, profile="quick", checks=["step"], diagnose=False, first_finding=True).to_dict()
    return json.dumps({**found, "given": {"target": "numpy"}}).encode()


LAYOUT = """gates = "ifco"
kernels = "separate"
transposed = true
biases = 2
forget_offset = 1.0
states = "hc"
axes = "BTI"
[names]
W = "kernel"
R = "recurrent"
b = "b"
bR = "bR"
"""
NOTATION = """base = "colah"
product = "⊙"
[symbols]
c_tilde = '\\tilde g'
"a_*" = '\\hat{*}'
[gates]
i = "in"
"""
ACCURACY = """products = "tf32"
accumulation = "float32"
partials = 4
[functions]
tanh = { error = 1e-3 }
sigmoid = { ulps = 2 }
[bfloat16]
unit = 0.01
"""
DEVIATIONS = """[[deviation]]
check = "step"
reason = "it is known"
target = "torch*"
dtype = "float32"
link = "example"
expires = 2030-01-31
"""
CAMPAIGN = """timeout = 600
[[jobs]]
target = ["numpy", "torch"]
spec = "lstm"
dtype = ["float64", "float32"]
seed = 3
"""

READ = "--x FILE --got FILE"
KINDS = {
    ".npz": weights(".npz"),
    ".safetensors": weights(".safetensors"),
    ".pt": weights(".pt"),
    ".h5": weights(".h5", "keras"),
    ".keras": Kind(packed, lambda path: ls.convert(path, target="canonical"), "convert FILE --to torch --no-check"),
    ".onnx": Kind(onnx, lambda path: ls.convert(path, target="canonical"), "convert FILE --to torch --no-check"),
    ".npy": Kind(npy, read_npy, "diagnose --weights good.npz --x FILE --got FILE"),
    "-layout.toml": Kind(text(LAYOUT), load, "convert good.npz --to FILE --no-check"),
    "-notation.toml": Kind(text(NOTATION), notation, "show lstm --notation FILE"),
    "-accuracy.toml": Kind(text(ACCURACY), contracts, "verify numpy --accuracy FILE"),
    "-deviations.toml": Kind(text(DEVIATIONS), read_deviations, "verify numpy --known-deviations FILE"),
    "-campaign.toml": Kind(text(CAMPAIGN), read_campaign, "campaign run FILE"),
    "-report.json": Kind(report, replay, "replay FILE"),
    "-results.json": Kind(vectors, hold_results, "vectors check golden FILE"),
    "-manifest.json": Kind(manifest, hold_manifest, "vectors check golden results.json"),
}
"""The kinds of files by the end of their names."""

TOKENS = b'nan|-1|true|""|[[|]|{}|0|1e999|\xff|\n|\'|2030-01-31|= [|= {a = 1}|= 3|= 0|= "x"'.split(b"|")
TOKENS += [b"9" * 400, bytes(8), b"[" * 3000]


def spoilt(good, ending, rng):
    """Return the bytes of a file with a mistake or two."""
    own = {".npy": in_header, ".npz": in_member, ".safetensors": in_claims, ".keras": in_packed, ".pt": in_tensors}
    own |= dict.fromkeys((e for e in KINDS if e.endswith(".json")), in_json)
    if ending in own and rng.random() < 0.5:
        return own[ending](good, rng)
    return in_bytes(good, rng)


def in_bytes(data, rng):
    at, end = sorted(rng.randrange(len(data)) for _ in range(2))
    bits = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        bits[rng.randrange(len(bits))] ^= 1 << rng.randrange(8)
    word = rng.choice(TOKENS)
    kinds = (
        lambda: data[:at],
        lambda: data[:at] + data[end:],
        lambda: data[:end] + data[at:],
        lambda: bytes(bits),
        lambda: data[:at] + word + data[at:],
        lambda: data[:at] + word + data[at + len(word) :],
        lambda: data[:at] + rng.randbytes(rng.randint(1, 64)) + data[at:],
    )
    return rng.choice(kinds)()


HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<U9', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<c8', 'fortran_order': False, 'shape': (9,), }",
    "{'descr': '<f4', 'fortran_order': 3, 'shape': (2,), }",
    "__import__('os').system('false')",
)
CLAIMS = (0, -3, 18.0, "x", 2**31, 10 * 2**30, 2**62, 2**70)


def in_header(data, rng):
    """Write another header, of more than there is perhaps."""
    header = rng.choice(HEADERS)
    header = (header % rng.choice(CLAIMS) if "%" in header else header).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data[-72:]


def in_member(data, rng):
    """Spoil or replace an array within an archive, or pack it as something that grows."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(out, "w", rng.choice([0, zipfile.ZIP_DEFLATED])) as new:
        for name in old.namelist():
            member = old.read(name)
            if rng.random() < 0.4:
                made = (in_header(member, rng), in_bytes(member, rng), member[:128] + bytes(10**7))
                member = rng.choice(made)
            new.writestr(rng.choice([name] * 9 + [f"../{name}", name.upper()]), member)
    return out.getvalue()


def in_claims(data, rng):
    """Change the header of a file of safetensors, which is JSON."""
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    change(header, rng)
    text = json.dumps(header).encode()
    claimed = rng.choice([len(text)] * 6 + [0, 3, 10**10, 2**63, len(text) - 1])
    return struct.pack("<Q", claimed) + text + data[8 + size :]


def in_packed(data, rng):
    """Change the file of weights within a model of Keras."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        inner = in_bytes(old.read("model.weights.h5"), rng)
        new.writestr(rng.choice(["model.weights.h5"] * 5 + ["other.h5"]), inner)
    return out.getvalue()


def in_tensors(data, rng):
    """Change a record of a file of PyTorch, which are a pickle and the bytes of tensors."""
    out, packed = BytesIO(), rng.choice([0, 0, 0, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(out, "w", packed) as new:
        for name in old.namelist():
            record = old.read(name)
            new.writestr(name, in_bytes(record, rng) if len(record) > 1 and rng.random() < 0.4 else record)
    return out.getvalue()


def in_json(data, rng):
    value = json.loads(data)
    for _ in range(rng.randint(1, 3)):
        change(value, rng)
    return json.dumps(value).encode()


def said_of(read, path):
    """Return what is said of a file, None where it is accepted; anything but a sentence of ours goes through."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
    except ValueError as error:
        if not type(error).__module__.startswith("lstm_spec."):
            raise
        return str(error)
    return None


def kind(said):
    """Return a sentence without what differs from file to file."""
    shown = re.sub(r"\(.*\)|'[^']*'|\"[^\"]*\"|\S*/\S*|[\d.,×]+|expected.*|got .*", "", said)
    return re.sub(r"\s+", " ", shown)[:60]


def fresh(folder, ending, seed, count):
    """Yield spoilt files of a kind, each with the bytes that are in it, under the same name."""
    rng, good = random.Random(f"{seed}{ending}"), KINDS[ending].good(folder)
    for _ in range(count):
        path = folder / f"spoilt{ending}"
        path.write_bytes(data := spoilt(good, ending, rng))
        yield path, data


def hunt(seed, count):
    """Say what breaks a reader, and how much memory it took at most."""
    with tempfile.TemporaryDirectory() as name:
        for ending, one in KINDS.items():
            tracemalloc.start()
            refused, most, begun = 0, 0, time.process_time()
            for path, data in fresh(Path(name), ending, seed, count):
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                try:
                    said = said_of(one.read, path)
                    refused += said is not None
                    if said is not None and "\n" in said:
                        print(ending, "several lines:", repr(said))
                except BaseException:
                    print(ending, repr(data[:3000]))
                    traceback.print_exc()
                most = max(most, tracemalloc.get_traced_memory()[1] - before)
            tracemalloc.stop()
            spent = time.process_time() - begun
            print(f"{ending}: {refused} of {count} refused, {most:,} bytes, {spent:.1f} s", flush=True)


def write_corpus(seed=0, count=400, *, most=6):
    """Write the corpus: of each kind the shortest file for each of the things that are most often said."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    for old in CORPUS.iterdir():
        old.unlink()
    with tempfile.TemporaryDirectory() as name:
        for ending, one in KINDS.items():
            found = {}
            for path, data in fresh(Path(name), ending, seed, count):
                said = said_of(one.read, path)
                if said is not None:
                    found.setdefault(kind(said), []).append(data)
            often = sorted(found.values(), key=len, reverse=True)[:most]
            for number, same in enumerate(often):
                (CORPUS / f"{number:02}{ending}").write_bytes(min(same, key=len))


if __name__ == "__main__":
    hunt(int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else write_corpus()
