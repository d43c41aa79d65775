"""The live view as a Jupyter widget: HTML made here, kept up to date by the kernel.

Feed ──News──► MonitorWidget(html, trouble) ──comm──► monitor.js

It needs no build step and nothing but anywidget in the front end. When the kernel goes, the front
end says so by itself and keeps the last numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets
from distributed import Client

from eco_dask.display.show import monitor_html, monitor_text
from eco_dask.notebook.feed import Feed, News

_FOLDER = Path(__file__).parent


class MonitorWidget(anywidget.AnyWidget):
    """Shows the network of a client, live. Made by :func:`eco_dask.monitor`."""

    _esm = _FOLDER / "monitor.js"
    _css = _FOLDER / "monitor.css"

    #: What is shown, escaped; empty before the first news.
    html = traitlets.Unicode("").tag(sync=True)
    #: Why there are no new numbers, empty while there are.
    trouble = traitlets.Unicode("").tag(sync=True)
    #: Counts what was heard, so that the front end notices silence.
    beat = traitlets.Int(0).tag(sync=True)
    interval_s = traitlets.Float(1.0).tag(sync=True)

    def __init__(self, client: Client, interval_s: float = 1.0) -> None:
        super().__init__(interval_s=interval_s)
        self._text = "<eco_dask monitor: waiting for the first numbers>"
        self._over = False
        self._feed = Feed(client, interval_s, self.take)
        self._feed.start()

    def take(self, news: News) -> bool:
        """Show news; False once the widget is closed."""
        if self._over:
            return False
        with self.hold_sync():
            self.beat += 1
            self.trouble = news.trouble
            if news.snapshot is not None:
                self.html = monitor_html(news.snapshot)
                self._text = monitor_text(news.snapshot)
        return True

    def close(self) -> None:
        """Take the view away, and ask no more."""
        self._over = True
        super().close()

    @property
    def is_over(self) -> bool:
        """Whether it was closed."""
        return self._over

    def __repr__(self) -> str:
        return self._text

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        if bundle is not None and isinstance(bundle, tuple):
            # Where widgets cannot be shown, and in a file without its kernel, this is.
            bundle[0]["text/plain"] = self._text
        return bundle
