"""Groups of bindings, as the help screen lists them. Every binding has an id and a group."""

from __future__ import annotations

from typing import Final

from textual.binding import Binding

MOVE: Final = Binding.Group("Move")
VIEW: Final = Binding.Group("Look")
SAMPLE: Final = Binding.Group("Sample")
GO: Final = Binding.Group("Go to")
APP: Final = Binding.Group("Explorer")
