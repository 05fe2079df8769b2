"""HTML from Python: elements whose text is escaped unless it is markup already, and the page around them."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


_VOID = frozenset({"br", "hr", "meta"})


def tag(name: str, *children: str, **attributes: str | int | float | bool | None) -> Markup:
    """Return one element. children: text is escaped, Markup is taken as it is.

    attributes: by name, an underscore at the end left out and others written as hyphens; True is an empty
    attribute, None and False none at all.

    >>> tag("p", "a < b", tag("b", "c"), class_="note", aria_label='"x"')
    '<p class="note" aria-label="&quot;x&quot;">a &lt; b<b>c</b></p>'
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written} />")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f' {name}="{"" if value is True else escape(str(value))}"'


def join(children: Iterable[str]) -> Markup:
    """Return children one after the other, text escaped."""
    return Markup("".join(c if isinstance(c, Markup) else escape(c) for c in children))


def section(title: str, *children: str, id: str) -> Markup:
    """Return a section under a heading, which names it."""
    return tag("section", tag("h2", title, id=id), *children, aria_labelledby=id)


def table(caption: str, headings: Iterable[str], rows: Iterable[Markup]) -> Markup:
    """Return a table under a caption, to be scrolled sideways where it is wide; rows: as ``row`` makes them."""
    head = tag("tr", *(tag("th", heading, scope="col") for heading in headings))
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *rows))
    return scrolled(caption, whole)


def row(first: str, *others: str) -> Markup:
    """Return a row of a table whose first cell names it."""
    return tag("tr", tag("th", first, scope="row"), cells(*others))


def cells(*values: str) -> Markup:
    """Return cells of a table; what is no markup is a number."""
    return join(tag("td", value, class_=None if isinstance(value, Markup) else "number") for value in values)


def scrolled(name: str, *children: str, class_: str = "") -> Markup:
    """Return what may be wider than the page in a box that scrolls, with the keyboard too."""
    return tag("div", *children, class_=f"scroll {class_}".strip(), role="group", aria_label=name, tabindex=0)


def page(title: str, *body: str, script: str = "") -> str:
    """Return a whole page that needs nothing else: title, body, and a script that it can be read without."""
    style = files("lstm_spec.report").joinpath("page.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(f"\n{style}")),
    )
    code = tag("script", Markup(script)) if script else ""
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', tag('main', *body), code), lang='en')}\n"
