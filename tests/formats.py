"""Checks of written formulas that need no renderer: a reader of LaTeX, and one of MathML."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

_KNOWN = r"""
\begin \end \circ \odot \ast \cdot \le \ge \top \prime \lvert \rvert \left \right \frac \sqrt \sum \tilde \bar \hat \dot
\mathrm \mathbf \boldsymbol \text \tanh \exp \log \max \min \_ \, \\ \delta \sigma \xi \Delta \mu \nu \varepsilon
\partial
"""
KNOWN = set(_KNOWN.split())
CHILDREN = {"msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "munderover": 3, "mover": 2, "mfrac": 2, "math": 1}
LEAVES = {"mi", "mn", "mo", "mtext"}
BRANCHES = {*CHILDREN, "mrow", "msqrt", "mtable", "mtr", "mtd"}


def read_latex(text):
    """Refuse what a stock article class with amsmath would not compile: braces, double scripts, unknown commands."""
    tokens = re.findall(r"\\[A-Za-z]+|\\.|[{}_^&]|[^\\{}_^&\s]|\s+", text.strip())
    environment = re.fullmatch(r"\\begin\{(\w+)\}.*\\end\{(\w+)\}", text.strip(), re.DOTALL)
    assert environment, "no environment around it"
    assert environment[1] == environment[2], "environments end as they begin"
    depth = 0
    scripts = [set()]
    after_script = False
    for token in (t for t in tokens if not t.isspace()):
        if token.startswith("\\"):
            assert token in KNOWN, f"{token} is not known"
        if token == "{":
            if not after_script:
                scripts[-1] = set()
            depth += 1
            scripts.append(set())
            continue
        if token == "}":
            depth -= 1
            scripts.pop()
            assert depth >= 0, "a brace closes that was not open"
        elif token in "_^":
            assert token not in scripts[-1], f"two {token} on one base"
            scripts[-1].add(token)
            after_script = True
            continue
        elif not after_script:
            scripts[-1] = {"^"} if token == "'" else set()
        after_script = False
    assert depth == 0, "braces are left open"
    assert all(line.count("&") == 1 for line in text.strip().splitlines()[1:-1] if "cases" not in line)


def compile_latex(bodies, folder):
    """Compile LaTeX with pdflatex, a page for each, and return what it complains about."""
    pages = "\n\\newpage\n".join(bodies)
    source = rf"\documentclass{{article}}\usepackage{{amsmath}}\begin{{document}}{pages}\end{{document}}"
    (folder / "all.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    return [line for line in done.stdout.splitlines() if line.startswith("!") or "Missing character" in line]


HAS_LATEX = shutil.which("pdflatex") is not None


def read_mathml(text):
    """Return the tree of a MathML formula; refuse what is not well formed or has the wrong number of children."""
    root = ET.fromstring(text)
    for e in root.iter():
        tag = e.tag.removeprefix("{http://www.w3.org/1998/Math/MathML}")
        assert tag in LEAVES | BRANCHES, f"{tag} is no element that we write"
        assert tag in LEAVES or not (e.text or "").strip(), f"{tag} holds bare text"
        assert tag not in LEAVES or (e.text and not len(e)), f"{tag} holds no text"
        assert len(e) == CHILDREN.get(tag, len(e)), f"{tag} has {len(e)} children"
        assert not (e.tail or "").strip()
    return root
