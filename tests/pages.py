"""What the tests of pages share: reading them, and a browser to look at them with."""

import re
import shutil
import subprocess
from itertools import pairwise
from xml.etree import ElementTree

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ADDRESS = re.compile(r"""(?:src|href)\s*=\s*"(?!#)|url\(|@import|https?://[^\s"<>]*""")


def read(page):
    """Return a page as a tree, which it is only if every element is closed and everything is escaped."""
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))


def addresses(page):
    """Return what a page would fetch, or links to; namespaces are only names."""
    return [found for found in ADDRESS.findall(page) if not found.startswith("http://www.w3.org/")]


def headings(tree):
    return [int(e.tag[1]) for e in tree.iter() if re.fullmatch(r"h[1-6]", e.tag)]


def check_page(page):
    """Assert what holds of every page; returns its tree."""
    tree = read(page)
    assert tree.get("lang") == "en"
    assert not addresses(page)
    levels = headings(tree)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [e.get("id") for e in tree.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert all(e.get("scope") in ("col", "row") for e in tree.iter("th"))
    for e in tree.iter():
        if e.get("role") in ("img", "group") and not e.tag.startswith("{"):
            assert e.get("aria-label"), e.attrib
    return tree


def text(tree):
    return " ".join("".join(tree.itertext()).split())


def browser(folder, *words):
    """Run a browser without a window, its files kept in a folder; returns what it has written."""
    common = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    return subprocess.run([*common, *words], capture_output=True, text=True, timeout=120, check=False)


def console(path, folder):
    """Return what a browser complains of on a page, and take a picture of it."""
    picture = folder / "page.png"
    said = ["--enable-logging=stderr", "--v=0", f"--screenshot={picture}", "--window-size=390,900"]
    done = browser(folder, *said, path.as_uri())
    assert picture.stat().st_size > 1000, done.stderr
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def after(page, script, folder):
    """Return a page as it is in a browser once a script has run in it."""
    path = folder / "after.html"
    path.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    return browser(folder, "--dump-dom", path.as_uri()).stdout


def printed(path, folder):
    """Return a page as it is printed: PDF, and how many sheets it takes."""
    pdf = folder / "page.pdf"
    browser(folder, f"--print-to-pdf={pdf}", "--no-pdf-header-footer", path.as_uri())
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
