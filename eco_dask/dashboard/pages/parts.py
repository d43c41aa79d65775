"""The parts that pages are made of: each shows one set of columns, and says so when it is empty.

columns ──show()──► a Bokeh model; only what changed is sent
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Literal, get_args

import numpy as np
from bokeh.models import Column as Stack
from bokeh.models import ColumnDataSource, Div, UIElement

from eco_dask.dashboard.pages.columns import Columns, changed, length

#: A Boolean is no number to look at.
_NUMBERS: Final = frozenset({int, float, type(None)})
_TILES_CSS: Final = """
:host, .bk-clearfix { display: block; width: 100%; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 8px; }
.tile { padding: 8px 12px; border: 1px solid var(--eco-line); border-radius: 8px;
        background: var(--eco-card); }
.label { color: var(--eco-dim); font-size: 12px; }
.value { margin: 1px 0; color: var(--eco-text); font-size: 20px; font-weight: 600;
         font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.alarming .value { color: var(--eco-alarm); }
.hint { color: var(--eco-dim); font-size: 11.5px; line-height: 1.3; }
"""
_EMPTY_CSS: Final = """
.bk-clearfix { width: 100%; }
.empty { padding: 18px 8px; color: var(--eco-dim); font-size: 14px; text-align: center; }
.empty code { padding: 1px 5px; border-radius: 4px; background: var(--eco-hover);
  white-space: nowrap; }
"""


#: Who looks, each seeing what those before see; an owner is the public, but for its own page.
Audience = Literal["public", "recruiter", "operator"]
AUDIENCES: Final[tuple[Audience, ...]] = get_args(Audience)


@dataclass(frozen=True, slots=True)
class Card:
    """What stands around a part."""

    #: Which columns of the page's data the part shows.
    key: str
    title: str
    #: One sentence on what is to be seen, with units.
    says: str = ""
    #: Shown instead of the part while it has no rows; ``code`` in backquotes.
    empty: str = "Nothing yet."
    wide: bool = False
    #: Who may see it, and whoever may see more.
    least: Audience = "public"


class Part(ABC):
    """One thing on a page.

    Parameters
    ----------
    card : Card
        What stands around it.
    names : iterable of str
        Columns that are drawn: Bokeh wants them there from the beginning.
    """

    def __init__(self, card: Card, names: Iterable[str] = ()) -> None:
        self.card = card
        self.source = ColumnDataSource({name: [] for name in names})
        self._shown: Columns = {}
        self._body: UIElement | None = None
        self._empty = Div(
            text=empty_html(card.empty),
            disable_math=True,
            visible=False,
            margin=0,
            sizing_mode="stretch_width",
            stylesheets=[_EMPTY_CSS],
        )

    @abstractmethod
    def make(self) -> UIElement:
        """Return the model that shows ``self.source``."""

    def fit(self, columns: Columns) -> None:  # noqa: B027  most parts need no fitting
        """Adapt axes and sizes to what is about to be shown."""

    def any_in(self, columns: Columns) -> bool:
        """Whether there is anything to show."""
        return length(columns) > 0

    @property
    def root(self) -> UIElement:
        """The part as a root of a document; made when first asked for."""
        if self._body is None:
            self._body = self.make()
            tags = ["wide"] * self.card.wide + ["bare"] * (not self.card.says)
            self._root = Stack(
                self._body,
                self._empty,
                name=self.card.key,
                tags=tags,
                margin=0,
                sizing_mode="stretch_width",
            )
        return self._root

    def show(self, columns: Columns) -> bool:
        """Show these columns; return whether anything was sent."""
        if columns is self._shown:
            return False
        new = changed(self._shown, columns)
        self._shown = columns
        if not new:
            return False
        self._reveal(self.any_in(columns))
        self.fit(columns)
        arrays = {name: as_array(column) for name, column in new.items()}
        if len(new) == len(columns):
            self.source.data = arrays
        else:
            self.source.data.update(arrays)
        return True

    def _reveal(self, full: bool) -> None:
        if self._body is not None and self._body.visible is not full:
            self._body.visible = full
        if self._empty.visible is full:
            self._empty.visible = not full


class Tiles(Part):
    """Figures in large letters, above everything else."""

    def make(self) -> UIElement:
        """Return a Div; its text is all there is."""
        self._div = Div(
            text="",
            disable_math=True,
            margin=0,
            sizing_mode="stretch_width",
            stylesheets=[_TILES_CSS],
        )
        return self._div

    def fit(self, columns: Columns) -> None:
        """Write the text anew."""
        self._div.text = tiles_html(columns)


def tiles_html(found: Columns) -> str:
    """Return tiles as HTML; whatever a stranger wrote is text in it."""
    shown = []
    for label, value, hint, alarming in zip(
        found["label"], found["value"], found["hint"], found["alarming"], strict=True
    ):
        kind = "tile alarming" if alarming else "tile"
        shown.append(
            f'<div class="{kind}"><div class="label">{escape(label)}</div>'
            f'<div class="value">{escape(value)}</div><div class="hint">{escape(hint)}</div></div>'
        )
    return f'<div class="tiles">{"".join(shown)}</div>'


def empty_html(text: str) -> str:
    """Return a sentence as HTML, with ``code`` where it has backquotes."""
    parts = [
        f"<code>{part}</code>" if odd % 2 else part
        for odd, part in enumerate(escape(text).split("`"))
    ]
    return f'<div class="empty">{"".join(parts)}</div>'


def notice_html(text: str) -> str:
    """Return a complaint as HTML."""
    return f'<p role="alert" style="color: var(--eco-alarm)">{escape(text)}</p>'


def as_array(column: Any) -> Any:
    """Return numbers as an array, which travels as bytes, with NaN for what is unknown."""
    if not len(column) or any(type(each) not in _NUMBERS for each in column):
        return list(column)
    return np.array([np.nan if each is None else each for each in column], dtype=np.float64)
