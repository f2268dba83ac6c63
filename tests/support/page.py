"""Reads an HTML page strictly: what a browser would forgive is an error here."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_BLOCKS = {"td", "th", "tr", "p", "div", "li", "h1", "h2", "dt", "dd"}
_VOID = {"meta", "link", "br", "img", "hr", "input"}


@dataclass
class Element:
    """One start tag: its name and attributes, and the text directly and deeply inside."""

    tag: str
    attributes: dict[str, str]
    text: str = ""

    def has_class(self, name: str) -> bool:
        return name in self.attributes.get("class", "").split()


@dataclass
class Page:
    """A parsed page."""

    elements: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str, css_class: str | None = None) -> list[Element]:
        return [item for item in self.elements if item.tag == tag and (css_class is None or item.has_class(css_class))]

    def section(self, name: str) -> Element | None:
        found = [item for item in self.elements if item.attributes.get("id") == name]
        return found[0] if found else None


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        if tag in _BLOCKS:
            self.handle_data(" ")
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.page.elements.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.page.text += data
        for element in self.open:
            element.text += data


def read_page(html: str) -> Page:
    """The page; AssertionError when a tag is not closed, closed twice, or in the wrong order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open, f"never closed: {[element.tag for element in reader.open]}"
    return reader.page
