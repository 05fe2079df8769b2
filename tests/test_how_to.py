"""The how-to pages whose outputs are generated show what comes out."""

from pathlib import Path

import pytest

from tests.readme import render
from tests.test_readme import without_rounding

PAGES = Path(__file__).parent.parent / "docs" / "how-to"


@pytest.mark.parametrize("name", ["diagnose.md", "frameworks.md", "identify.md", "onnx.md"])
def test_a_page_shows_what_comes_out(name):
    shown = (PAGES / name).read_text(encoding="utf-8")
    assert without_rounding(render(shown)) == without_rounding(shown)
