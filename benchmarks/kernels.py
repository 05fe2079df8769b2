"""The kernels that libraries choose when they are loaded, and a script run under every choice, one after the other."""

import os
import subprocess
import sys
from pathlib import Path

NAME = "KERNELS"
"""The environment variable by which a script knows what was chosen for it."""

CHOICES: dict[str, dict[str, str]] = {
    "the processor's own": {},
    "AVX2": {
        "OPENBLAS_CORETYPE": "Haswell",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    },
    "AVX": {
        "OPENBLAS_CORETYPE": "Sandybridge",
        "ONEDNN_MAX_CPU_ISA": "AVX",
        "ATEN_CPU_CAPABILITY": "default",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX",
    },
    "SSE": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        # With less than AVX it lacks what converts float16.
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX",
    },
}
"""By name the environment in which NumPy's BLAS, oneDNN, PyTorch, MKL and XLA take kernels of that family."""

BLOCK = 5_000
"""How many cases in a row are run under one choice, since every choice is a process of its own."""


def chosen() -> str:
    """Return the choice that this process was started with."""
    return os.environ.get(NAME, next(iter(CHOICES)))


def run_blocks(wanted: range, done: set[int], log: Path) -> None:
    """Run the script again for every block of cases that is not done, each block under the choice whose turn it is."""
    for start in range(wanted.start - wanted.start % BLOCK, wanted.stop, BLOCK):
        block = range(max(start, wanted.start), min(start + BLOCK, wanted.stop))
        if done.issuperset(block):
            continue
        name = list(CHOICES)[start // BLOCK % len(CHOICES)]
        words = ["--first", str(block.start), "--cases", str(len(block)), "--log", str(log), "--silent"]
        environment = {**os.environ, **CHOICES[name], NAME: name}
        subprocess.run([sys.executable, sys.argv[0], *words], env=environment, check=True)
