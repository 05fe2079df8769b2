"""What is installed of what commands and targets need; packages say their version, so that none is imported."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from types import MappingProxyType
from typing import Any

from packaging.requirements import Requirement

from lstm_spec.targets.built_in import BUILT_IN

CORE = "core"

SERVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        CORE: ("every command",),
        "torch": ("targets with arrays = torch", "convert, .pt and .pth"),
        "jax": ("targets with arrays = jax",),
        "onnx": ("verify model.onnx", "convert, .onnx"),
        "keras": ("convert, .h5 and .keras",),
        "safetensors": ("convert, .safetensors",),
        "bfloat16": ("verify --dtype bfloat16",),
        "dask": ("campaign run --scheduler",),
        "test": ("the tests of lstm_spec",),
        "dev": ("lint and types of lstm_spec",),
        "docs": ("the documentation site",),
    }
)
"""What the extras are for besides the targets that are built in."""

NOTES: Mapping[str, str] = MappingProxyType(
    {"keras": "the variable KERAS_BACKEND says on what it runs: torch, jax or numpy"}
)

BUILDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml"), "paddlepaddle": ("paddlepaddle-gpu",)}
)
"""Other names under which the same package is distributed."""


class InstalledError(ValueError):
    """This package has no metadata here, so that nobody knows what it needs."""


@dataclass(frozen=True)
class Package:
    """A package that is asked for: which versions, and the one that is installed, or None."""

    name: str
    asked: str
    version: str | None
    status: str


@dataclass(frozen=True)
class Part:
    """What is installed together: its packages, the targets and whatever else it serves, the command that gets it."""

    name: str
    packages: tuple[Package, ...]
    targets: tuple[str, ...]
    serves: tuple[str, ...]
    remedy: str
    note: str = ""

    @property
    def status(self) -> str:
        """One of ok, missing, wrong_version, or not_for_this_system where it has no package for it."""
        found = [package.status for package in self.packages]
        return next((s for s in ("missing", "wrong_version") if s in found), "ok" if found else "not_for_this_system")

    def to_dict(self) -> dict[str, Any]:
        """Return the part as JSON writes it."""
        return {
            "name": self.name,
            "status": self.status,
            "packages": [vars(package) for package in self.packages],
            "targets": list(self.targets),
            "serves": list(self.serves),
            "remedy": None if self.status in ("ok", "not_for_this_system") else self.remedy,
            "note": self.note or None,
        }


def requirements() -> list[str]:
    """Return what this package asks for; raises InstalledError where it is only a folder of files."""
    try:
        return metadata.requires("lstm_spec") or []
    except metadata.PackageNotFoundError as error:
        remedy = "install it with: pip install -e . in its folder"
        raise InstalledError(f"lstm_spec is imported from a folder and not installed; {remedy}") from error


def version_of(name: str) -> str | None:
    """Return the version of a package that is installed, under any of its names; None where there is none."""
    for build in (name, *BUILDS.get(name, ())):
        try:
            return metadata.version(build)
        except metadata.PackageNotFoundError:
            continue
    return None


def parts(
    asked: Sequence[str] | None = None,
    *,
    version: Callable[[str], str | None] = version_of,
    command: Callable[[str], str | None] = shutil.which,
) -> list[Part]:
    """Return the core, every extra and Graphviz, with what of each is installed.

    asked: requirements as metadata has them, by default those of this package. version: says which version of a package
    is installed. command: says where a command is.

    >>> torch = parts(["torch>=2.4; extra == 'torch'"], version=lambda name: "2.1")[1]
    >>> torch.name, torch.status, torch.targets[0]
    ('torch', 'wrong_version', 'torch')
    """
    wanted = [Requirement(text) for text in (requirements() if asked is None else asked)]
    extras = list(dict.fromkeys(name for r in wanted if (name := _extra(r)) is not None))
    found = [
        Part(
            name=name,
            packages=tuple(_packages(wanted, name, version)),
            targets=tuple(_targets(name, extras)),
            serves=SERVES.get(name, ()),
            remedy="pip install --upgrade " + ("lstm_spec" if name == CORE else f"'lstm_spec[{name}]'"),
            note=NOTES.get(name, ""),
        )
        for name in (CORE, *extras)
    ]
    return [*found, _graphviz(version, command)]


def _extra(requirement: Requirement) -> str | None:
    named = re.search(r"""extra == ["']([\w-]+)["']""", str(requirement.marker or ""))
    return named[1] if named else None


def _packages(wanted: Sequence[Requirement], part: str, version: Callable[[str], str | None]) -> Iterator[Package]:
    """Yield the packages of the core or of an extra, as far as they exist for this system."""
    extra = None if part == CORE else part
    for requirement in wanted:
        marker = requirement.marker
        if _extra(requirement) != extra or not (marker is None or marker.evaluate({"extra": extra or ""})):
            continue
        installed, versions = version(requirement.name), requirement.specifier
        fits = installed is not None and versions.contains(installed, prereleases=True)
        status = "missing" if installed is None else "ok" if fits else "wrong_version"
        yield Package(requirement.name, str(versions), installed, status)


def _targets(part: str, extras: Sequence[str]) -> Iterator[str]:
    """Yield the targets that a part serves: an extra has the name of the package, or of the file, that makes them."""
    for target, made in BUILT_IN.items():
        homes = made.partition("(")[0].partition(":")[0].split(".")
        if part == next((home for home in homes if home in extras), CORE):
            yield target


def _graphviz(version: Callable[[str], str | None], command: Callable[[str], str | None]) -> Part:
    """Return what renders pictures, the command dot or else a package that carries it."""
    dot, package = command("dot"), version("pygraphviz")
    drawn = Package("dot", "", dot, "ok") if dot else Package("pygraphviz", "", package, "ok" if package else "missing")
    return Part("graphviz", (drawn,), (), ("draw -o FILE.png", "draw -o FILE.pdf"), "pip install pygraphviz")
