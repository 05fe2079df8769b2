"""How large the core is when it is installed, and how long it takes to import: ``python benchmarks/footprint.py``.

Sizes are those of files without their byte code, of every package that the core needs, directly or not. Times are the
least of some runs, over that of a Python that does nothing.
"""

import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

import lstm_spec

STATEMENTS = {
    "import lstm_spec": "the package, nothing used yet",
    "import lstm_spec.cli": "what `lstm-spec --help` needs",
    "import lstm_spec as ls; ls.lstm": "a cell: SymPy",
    "import numpy, sympy, hypothesis": "what a verification needs of others",
    "import lstm_spec.verify.run": "a verification",
}
ROUNDS = 9


def main():
    own = [path for path in Path(lstm_spec.__file__).parent.rglob("*") if "__pycache__" not in path.parts]
    sizes = {"lstm_spec": sum(path.stat().st_size for path in own if path.is_file())}
    sizes |= {name: size(name) for name in needed("lstm_spec") if name != "lstm_spec"}
    print("| package | MB | |\n|---|---|---|")
    direct = {Requirement(text).name for text in core("lstm_spec")}
    for name, found in sorted(sizes.items(), key=lambda entry: -entry[1]):
        print(f"| {name} | {found / 1e6:.1f} | {'' if name in direct | {'lstm_spec'} else 'needed by these'} |")
    print(f"| together | {sum(sizes.values()) / 1e6:.1f} | |\n\n| statement | times bare Python | |\n|---|---|---|")
    bare = seconds("pass")
    for statement, what in STATEMENTS.items():
        print(f"| `{statement}` | {seconds(statement) / bare:.1f} | {what} |")


def core(name):
    """Return what a package needs without its extras, here."""
    every = map(Requirement, metadata.requires(name) or [])
    return [str(found) for found in every if found.marker is None or found.marker.evaluate({"extra": ""})]


def needed(name, known=()):
    """Return a package and all that it needs, by name."""
    found = [*known, name]
    for text in core(name):
        other = Requirement(text).name
        if other not in found:
            found = needed(other, found)
    return found


def size(name):
    files = [Path(file.locate()) for file in metadata.files(name) or [] if file.suffix != ".pyc"]
    return sum(file.stat().st_size for file in files if file.is_file())


def seconds(statement):
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
