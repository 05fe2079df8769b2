"""The README and the pages of the documentation show what comes out, and nothing in them is left unrun."""

import re
from pathlib import Path

import pytest

from tests.readme import BLOCK, DOCS, README, pages, render
from tests.test_readme import without_rounding

PAGES = [page for page in pages() if page != README]
NEEDS = {
    "convert": ("torch", "onnx", "onnxruntime", "mlx.core"),
    "frameworks": ("torch",),
    "onnx": ("onnx", "onnxruntime"),
}
"""What has to be installed for what a page shows."""
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_what_comes_out(page):
    for package in NEEDS.get(page.stem, ()):
        pytest.importorskip(package)
    shown = page.read_text(encoding="utf-8")
    assert without_rounding(render(shown)) == without_rounding(shown)


def test_a_stale_page_would_be_noticed():
    shown = "".join(
        f"<!-- {kind} -->\n```text\n{body}\n```\n<!-- end -->\n"
        for kind, body in [("python", "print(2 * 35)"), ("printed", "71")]
    )
    assert without_rounding(render(shown)) != without_rounding(shown)
    assert render(shown) == shown.replace("71", "70")


def test_a_command_is_shown_with_what_it_prints():
    """Where a block begins with a prompt, or a reader would see what comes and not what was typed."""
    with_it = "<!-- output: echo 7 -->\n```text\n$ echo 8\n8\n```\n<!-- end -->\n"
    assert render(with_it) == with_it.replace("8", "7")
    without = with_it.replace("$ echo 8\n", "")
    assert render(without) == without.replace("8", "7")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_output_stands_without_its_command(page):
    shown = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(shown):
        if match["kind"] == "output":
            typed = shown[: match.start()].rstrip().endswith("```")
            assert typed or match["body"].startswith("$ "), match["what"]


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_what_a_page_shows_is_run_by_a_test(page):
    # What stands in sh is to be typed: it sets something up, or its output follows.
    left = re.findall(r"^```(?!sh$)\w+$", BLOCK.sub("", page.read_text(encoding="utf-8")), re.M)
    assert not left or f'"{page.name}"' in TESTS
