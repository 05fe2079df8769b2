"""How large the core is when it is installed, and how long it takes to import: ``python benchmarks/footprint.py``."""

import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import lstm_spec
from lstm_spec.targets.installed import CORE, parts

STATEMENTS = (
    "pass",
    "import lstm_spec",
    "import lstm_spec.cli",
    "import lstm_spec as ls; ls.lstm",
    "import numpy, sympy",
)
ROUNDS = 5


def main():
    own = [path for path in Path(lstm_spec.__file__).parent.rglob("*") if "__pycache__" not in path.parts]
    print(f"{'lstm_spec':12} {sum(path.stat().st_size for path in own if path.is_file()) / 1e6:6.1f} MB")
    for package in next(part for part in parts() if part.name == CORE).packages:
        files = [file.locate() for file in metadata.files(package.name) or [] if file.suffix != ".pyc"]
        print(f"{package.name:12} {sum(Path(f).stat().st_size for f in files if Path(f).is_file()) / 1e6:6.1f} MB")
    for statement in STATEMENTS:
        print(f"{statement:32} {statistics.median(map(seconds, [statement] * ROUNDS)):.2f} s")


def seconds(statement):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
