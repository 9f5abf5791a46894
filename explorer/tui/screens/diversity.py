"""The page behind `y`: how varied the arms are, on one problem or over those that are shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from explorer.tui.render.diversity_rows import diversity_rows
from explorer.tui.screens.text import TextScreen

if TYPE_CHECKING:
    from explorer.views.diversity import Diversity


def diversity_page(found: Diversity) -> TextScreen:
    """A page with the table, laid out for its width, and what its numbers mean."""
    return TextScreen("Diversity of the arms", partial(diversity_rows, found))
