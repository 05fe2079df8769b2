"""PNG and PDF of a pinned DOT, by the Graphviz inside pygraphviz or the one on PATH."""

import shutil
import subprocess
from pathlib import Path

FORMATS = ("png", "pdf")
DPI = 160


class RenderError(ValueError):
    """A picture that cannot be rendered here; the message says what to install."""


def render(source: str, path: Path) -> None:
    """Render pinned DOT to a file whose suffix is png or pdf; raises RenderError where there is no Graphviz."""
    kind = path.suffix[1:].lower()
    if shutil.which("dot"):
        _by_command(source, path, kind)
    elif not _in_process(source, path, kind):
        raise RenderError(
            f"{kind.upper()} needs Graphviz: pip install pygraphviz, or install the command dot;"
            " .svg, .gv and .tex need neither"
        )


def _by_command(source: str, path: Path, kind: str) -> None:
    command = ["dot", f"-T{kind}", f"-Gdpi={DPI if kind == 'png' else 72}", "-o", str(path)]
    done = subprocess.run(command, input=source, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RenderError(f"Graphviz could not render {path.name}: {done.stderr.strip()}")


def _in_process(source: str, path: Path, kind: str) -> bool:
    """Render with pygraphviz, whose wheels carry Graphviz; False where it is not installed."""
    try:
        from pygraphviz import AGraph
    except ImportError:
        return False
    graph = AGraph(string=source)
    if kind == "png":
        graph.graph_attr["dpi"] = str(DPI)
    # Not into the path: its way of opening that fails on Python before 3.11.4.
    path.write_bytes(graph.draw(format=kind, prog="nop2"))
    return True
