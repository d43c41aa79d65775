"""Reads the HTML that we write: its figures, its text, and whether it is well-formed and inert."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"br", "hr", "img", "input"}
_INERT = {
    "a", "b", "code", "dd", "details", "div", "dl", "dt", "h3", "h4", "p", "progress", "section",
    "small", "span", "strong", "summary", "table", "tbody", "td", "th", "thead", "time", "tr",
}  # fmt: skip
_ATTRIBUTES = {
    "aria-label", "class", "data-at", "data-eco", "data-job", "data-value", "href", "max", "rel",
    "scope", "style", "target", "title", "value",
}  # fmt: skip


@dataclass
class Page(HTMLParser):
    """What a browser makes of it."""

    source: str
    #: Figures by path: what ``data-value`` says, and the text.
    values: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    text: str = ""
    links: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self._figure: str | None = None
        self.feed(self.source)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _INERT, f"<{tag}> is not ours"
        given = dict(attrs)
        assert set(given) <= _ATTRIBUTES, f"{given} of <{tag}>"
        if tag not in _VOID:
            self._open.append(tag)
        if (path := given.get("data-eco")) is not None:
            self._figure = path
            self.values[path] = given["data-value"] or ""
            self.texts[path] = ""
        if tag == "a":
            self.links.append(given["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "b":
            self._figure = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._figure is not None:
            self.texts[self._figure] += data
