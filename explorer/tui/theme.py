"""Colours. Every one is a colour of the xterm-256 cube or grey ramp, so that nothing shifts there.

One accent; the three arms have a hue each (orange, blue, purple: told apart by most colour-blind
readers) and a marker besides. `Palette` is what widgets read; the Textual themes are made of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Final

from rich.style import Style as RichStyle
from textual.theme import Theme


@dataclass(frozen=True, slots=True)
class Palette:
    """All colours of one theme, as '#rrggbb' ('' = the terminal's own).

    Attributes:
        background, raised, cursor: behind the page, behind bars and pop-ups, behind the row
            under the cursor.
        line, faint, muted, text, strong: rules, hints, secondary text, text, headings.
        accent, on_accent: the one accent, and text on it.
        base, rl, distilled, extra_a … extra_d: arms.
        base_band … extra_band: the same, fainter, for the intervals around their curves.
        right, wrong, undecided: outcomes.
        heat: five backgrounds from 'expected' to 'most surprising'; the first is ''.
        heat_text: the text colour on each of them.
    """

    dark: bool
    background: str
    raised: str
    cursor: str
    line: str
    faint: str
    muted: str
    text: str
    strong: str
    accent: str
    on_accent: str
    base: str
    rl: str
    distilled: str
    extra_a: str
    extra_b: str
    extra_c: str
    extra_d: str
    base_band: str
    rl_band: str
    distilled_band: str
    extra_band: str
    right: str
    wrong: str
    undecided: str
    heat: tuple[str, str, str, str, str]
    heat_text: tuple[str, str, str, str, str]

    def colour(self, name: str) -> str:
        """The colour with a name of `views.palette`."""
        value: str = getattr(self, name)
        return value

    def band(self, name: str) -> str:
        """The faint companion of an arm's colour."""
        return {
            "base": self.base_band,
            "rl": self.rl_band,
            "distilled": self.distilled_band,
        }.get(name, self.extra_band)


DARK: Final = Palette(
    dark=True,
    background="#121212",
    raised="#1c1c1c",
    cursor="#303030",
    line="#3a3a3a",
    faint="#6c6c6c",
    muted="#949494",
    text="#c6c6c6",
    strong="#eeeeee",
    accent="#87d7af",
    on_accent="#121212",
    base="#d7af5f",
    rl="#5fafff",
    distilled="#d787d7",
    extra_a="#5fd7d7",
    extra_b="#d78787",
    extra_c="#afaf87",
    extra_d="#8787d7",
    base_band="#875f00",
    rl_band="#005f87",
    distilled_band="#875f87",
    extra_band="#4e4e4e",
    right="#87af5f",
    wrong="#d75f5f",
    undecided="#afaf87",
    heat=("", "#5f0087", "#af5f87", "#ffaf87", "#ffffd7"),
    heat_text=("#c6c6c6", "#eeeeee", "#ffffff", "#121212", "#121212"),
)

LIGHT: Final = Palette(
    dark=False,
    background="#ffffff",
    raised="#eeeeee",
    cursor="#dadada",
    line="#c6c6c6",
    faint="#808080",
    muted="#626262",
    text="#303030",
    strong="#000000",
    accent="#00875f",
    on_accent="#ffffff",
    base="#af5f00",
    rl="#005faf",
    distilled="#870087",
    extra_a="#005f5f",
    extra_b="#af0000",
    extra_c="#5f5f00",
    extra_d="#5f5faf",
    base_band="#d7af87",
    rl_band="#87afd7",
    distilled_band="#d7afd7",
    extra_band="#bcbcbc",
    right="#008700",
    wrong="#af0000",
    undecided="#5f5f00",
    heat=("", "#ffd787", "#ff875f", "#d70087", "#00005f"),
    heat_text=("#303030", "#121212", "#121212", "#ffffff", "#ffffff"),
)

DARK_16: Final = replace(
    DARK,
    background="#000000",
    raised="#000000",
    cursor="#00005f",
    line="#6c6c6c",
    faint="#6c6c6c",
    muted="#bcbcbc",
    text="#bcbcbc",
    strong="#ffffff",
    accent="#00ff5f",
    base="#ffff00",
    rl="#00ffff",
    distilled="#ff00ff",
    extra_a="#008787",
    extra_b="#ff0000",
    extra_c="#878700",
    extra_d="#870087",
    base_band="#878700",
    rl_band="#008787",
    distilled_band="#870087",
    extra_band="#6c6c6c",
    right="#00ff5f",
    wrong="#ff0000",
    undecided="#bcbcbc",
)
"""For terminals with 16 colours: what each of these becomes there is what is meant."""

LIGHT_16: Final = replace(
    LIGHT,
    raised="#ffffff",
    cursor="#bcbcbc",
    line="#6c6c6c",
    faint="#6c6c6c",
    muted="#000000",
    text="#000000",
    accent="#008700",
    base="#870000",
    rl="#0000ff",
    distilled="#870087",
    extra_a="#008787",
    extra_b="#ff0000",
    extra_c="#878700",
    extra_d="#000087",
    base_band="#ff0000",
    rl_band="#00ffff",
    distilled_band="#ff00ff",
    extra_band="#bcbcbc",
    right="#008700",
    wrong="#ff0000",
    undecided="#6c6c6c",
)

PALETTES: Final = {
    "explorer-dark": DARK,
    "explorer-light": LIGHT,
    "explorer-dark-16": DARK_16,
    "explorer-light-16": LIGHT_16,
}
"""By Textual theme name."""


def theme_name(dark: bool, colour_system: str | None) -> str:
    """Our theme for a terminal: `colour_system` is Rich's word for what it can show."""
    name = "explorer-dark" if dark else "explorer-light"
    return f"{name}-16" if colour_system == "standard" else name


def palette_for(theme_name: str, dark: bool = True) -> Palette:
    """The palette of a theme; Textual's own themes get the nearest of ours."""
    return PALETTES.get(theme_name, DARK if dark else LIGHT)


def make_themes() -> list[Theme]:
    """Our themes, with every palette colour as a CSS variable (`$arm-base`, `$muted`, …)."""
    return [_theme(name, palette) for name, palette in PALETTES.items()]


@cache
def ink(foreground: str = "", background: str = "", attributes: str = "") -> RichStyle:
    """A cached Rich style, e.g. `ink(palette.muted, attributes='bold')`."""
    parts = [attributes, foreground, f"on {background}" if background else ""]
    return RichStyle.parse(" ".join(part for part in parts if part) or "none")


def _theme(name: str, palette: Palette) -> Theme:
    colours = {
        f"ink-{key.replace('_', '-')}": value
        for key, value in asdict(palette).items()
        if isinstance(value, str)
    }
    return Theme(
        name=name,
        dark=palette.dark,
        primary=palette.accent,
        secondary=palette.accent,
        accent=palette.accent,
        foreground=palette.text,
        background=palette.background,
        surface=palette.background,
        panel=palette.raised,
        boost=palette.raised,
        success=palette.right,
        warning=palette.base,
        error=palette.wrong,
        text_alpha=1.0,
        variables=colours
        | {
            "block-cursor-background": palette.cursor,
            "block-cursor-foreground": palette.strong,
            "input-cursor-background": palette.accent,
            "input-cursor-foreground": palette.on_accent,
            "input-selection-background": palette.cursor,
            "scrollbar": palette.line,
            "scrollbar-hover": palette.faint,
            "scrollbar-active": palette.faint,
            "scrollbar-background": palette.background,
            "scrollbar-background-hover": palette.background,
            "scrollbar-background-active": palette.background,
            "scrollbar-corner-color": palette.background,
            "footer-background": palette.raised,
            "footer-key-foreground": palette.accent,
            "footer-description-foreground": palette.muted,
            "border": palette.line,
            "border-blurred": palette.line,
        },
    )
