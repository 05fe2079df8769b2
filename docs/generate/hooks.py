"""What the site generator does besides turning ``docs`` into pages: it makes those that come from the code."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mathematics import mathematics
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from reference import commands, python

ROOT = Path(__file__).parent.parent.parent
MOUNTED = ("benchmarks/*.md", "benchmarks/*.svg", "diagrams/*", "examples/*", "CHANGELOG.md")
"""What lies beside ``docs`` and is shown too, at the same place."""

LINK = re.compile(r"(\]\()([^)#\s]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every page of a folder whose pages are made, such as ``mathematics/``, into the navigation."""
    names = sorted({*mounted(), *generated(prove=False)})
    config.nav = list(_expanded(config.nav, names))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages made from the code, and what lies beside ``docs``."""
    for name, path in mounted().items():
        files.append(File.generated(config, name, abs_src_path=str(path)))
    for name, text in generated(prove=config.extra["prove"]).items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links that leave ``docs`` in the repository to where the site has the same; a lone page needs no menu."""
    if page.parent is None:
        page.meta["hide"] = ["navigation"]
    here = posixpath.dirname(page.file.src_uri)

    def led(match: re.Match[str]) -> str:
        place = posixpath.normpath(posixpath.join("docs", here, match[2]))
        if ":" in match[2] or place.startswith("docs/") or place.startswith(".."):
            return match[0]
        name = f"{place}/index.md" if (ROOT / place).is_dir() else place
        return match[1] + posixpath.relpath(name, here or ".")

    inside = (ROOT / "docs" / page.file.src_uri).is_file()
    return LINK.sub(led, markdown) if inside else markdown.replace("](../docs/", "](../")


def mounted() -> dict[str, Path]:
    """Return the files beside ``docs`` that are shown, by their place on the site."""
    return {str(path.relative_to(ROOT).as_posix()): path for pattern in MOUNTED for path in sorted(ROOT.glob(pattern))}


def generated(*, prove: bool) -> dict[str, str]:
    """Return the pages made from the code; prove: with every formula of the cells proved."""
    return {
        **{f"mathematics/{name}": page for name, page in mathematics(prove=prove)},
        "reference/commands.md": commands(),
        "reference/python.md": python(),
        "examples/index.md": _examples(),
    }


def _examples() -> str:
    files = [path for path in sorted((ROOT / "examples").iterdir()) if path.is_file()]
    parts = [f"## [{path.name}]({path.name})\n\n```{path.suffix[1:]}\n{path.read_text('utf-8')}```\n" for path in files]
    return "\n".join(["# Examples in other languages\n", *parts])


def _expanded(nav: Any, names: list[str]) -> Iterator[Any]:
    for entry in nav:
        if isinstance(entry, dict):
            title, inner = next(iter(entry.items()))
            yield (
                {title: list(_expanded(inner if isinstance(inner, list) else [inner], names))}
                if _many(inner)
                else entry
            )
        elif entry.endswith("/"):
            own = [name for name in names if name.startswith(entry) and name.endswith(".md")]
            yield from sorted(own, key=lambda name: not name.endswith(("/index.md", "/README.md")))
        else:
            yield entry


def _many(inner: Any) -> bool:
    return isinstance(inner, list) or inner.endswith("/")
