"""What the tests of pages share: reading them, and a browser to look at them with."""

import re
import shutil
import subprocess
from itertools import pairwise
from xml.etree import ElementTree

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ADDRESS = re.compile(r"""(?:src|href)\s*=|url\(|@import|https?://[^\s"<>]*""")


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


def console(path, folder):
    """Return what a browser complains of on a page, and take a picture of it."""
    picture = folder / "page.png"
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    command += [f"--user-data-dir={folder / 'profile'}", f"--screenshot={picture}", "--window-size=390,900"]
    done = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, timeout=120, check=False)
    assert picture.stat().st_size > 1000, done.stderr
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]
