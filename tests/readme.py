"""Run what the README and the pages of the documentation show, and put in what comes out.

``python tests/readme.py`` rewrites them all, ``python tests/readme.py docs/questions.md`` one of them.
"""

import contextlib
import importlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from click.testing import CliRunner

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
KINDS = "output|file|python|printed|include"
BLOCK = re.compile(rf"<!-- (?P<kind>{KINDS})(?:: (?P<what>.*?))? -->\n```\w*\n(?P<body>.*?)```\n<!-- end -->", re.S)


def pages():
    """Return the README and every page of the documentation with blocks that are run."""
    return [page for page in (README, *sorted(DOCS.rglob("*.md"))) if BLOCK.search(page.read_text(encoding="utf-8"))]


def render(text):
    """Return a page with every generated block filled in; it is run in a folder that has the examples."""
    namespace, printed = {}, ""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), own_modules(folder):
        shutil.copytree(ROOT / "examples", folder, dirs_exist_ok=True)

        def fill(match):
            nonlocal printed
            kind, body = match["kind"], match["body"]
            # A file that is mended within a second, and is as long as before, Python would take for the one before.
            importlib.invalidate_caches()
            shutil.rmtree("__pycache__", ignore_errors=True)
            if kind == "file":
                Path(match["what"]).write_text(body, encoding="utf-8")
                # Another test may have imported a file of the same name.
                sys.modules.pop(Path(match["what"]).stem, None)
            elif kind == "python":
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    exec(compile(body, "README.md", "exec"), namespace)
                printed = out.getvalue()
            made = {
                "output": lambda: typed(match["what"], body) + run(match["what"], body),
                "printed": lambda: printed,
                "include": lambda: (ROOT / match["what"]).read_text(encoding="utf-8"),
            }
            new = made.get(kind, lambda: body)()
            start, end = match.start("body") - match.start(), match.end("body") - match.start()
            return match[0][:start] + new + match[0][end:]

        return BLOCK.sub(fill, text)


@contextlib.contextmanager
def own_modules(folder):
    """Let a page import the files that it writes, and nobody else after it."""
    before = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
                del sys.modules[name]


def typed(command, shown):
    """Return the line with which a command is typed, where the page shows it."""
    return f"$ {command}\n" if shown.startswith("$ ") else ""


def run(command, shown):
    """Return what a command prints, as it looks without a terminal; what is shown, where there is no such program.

    "| tee FILE" writes it there too. A command of ours runs in this process.
    """
    os.environ["COLUMNS"] = "120"
    command, _, copy = command.partition(" | tee ")
    words = shlex.split(command)
    if words[0] == "lstm-spec":
        from lstm_spec.cli import main

        printed = CliRunner().invoke(main, words[1:]).stdout
    elif shutil.which(words[0]) is None:
        return shown.removeprefix(typed(command, shown))
    else:
        printed = subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
    if copy:
        Path(copy).write_text(printed, encoding="utf-8")
    return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:] or pages()):
        page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")
