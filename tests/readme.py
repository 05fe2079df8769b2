"""Run what the README shows, and put in what comes out: ``python tests/readme.py`` rewrites it."""

import contextlib
import io
import os
import re
import shlex
import tempfile
from pathlib import Path

from click.testing import CliRunner

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(
    r"<!-- (?P<kind>output|file|python|printed)(?:: (?P<what>.*?))? -->\n```\w*\n(?P<body>.*?)```\n<!-- end -->", re.S
)


def render(text):
    """Return the README with every generated block filled in."""
    namespace, printed = {}, ""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):

        def fill(match):
            nonlocal printed
            kind, body = match["kind"], match["body"]
            if kind == "file":
                Path(match["what"]).write_text(body)
            elif kind == "python":
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    exec(compile(body, "README.md", "exec"), namespace)
                printed = out.getvalue()
            new = {"output": lambda: run(match["what"]), "printed": lambda: printed}.get(kind, lambda: body)()
            start, end = match.start("body") - match.start(), match.end("body") - match.start()
            return match[0][:start] + new + match[0][end:]

        return BLOCK.sub(fill, text)


def run(command):
    """Return what a command of ours prints, as it looks without a terminal; "| tee FILE" writes it there too."""
    from lstm_spec.cli import main

    os.environ["COLUMNS"] = "120"
    command, _, copy = command.partition(" | tee ")
    words = shlex.split(command)
    assert words[0] == "lstm-spec"
    result = CliRunner().invoke(main, words[1:])
    lines = result.stdout.splitlines()
    if copy:
        Path(copy).write_text(result.stdout, encoding="utf-8")
    return "".join(f"{line.rstrip()}\n" for line in lines)


if __name__ == "__main__":
    README.write_text(render(README.read_text()))
