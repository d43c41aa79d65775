"""Colours that read on white and on black, and apart for the colour-blind (after Okabe and Ito)."""

from __future__ import annotations

from typing import Final

BLUE: Final = "#3a87d6"
ORANGE: Final = "#e0902c"
GREEN: Final = "#2a9d74"
RED: Final = "#d1495b"
PURPLE: Final = "#a06cc4"
SKY: Final = "#5fb3e6"
GREY: Final = "#8b949e"
