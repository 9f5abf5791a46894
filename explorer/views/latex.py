"""Statements made readable: LaTeX to Unicode, by pylatexenc, with a fallback that loses nothing.

Only what looks like LaTeX is touched: `$5 and $7` stays money and `20% of` keeps its sentence.
Invariant: this never raises; where LaTeX cannot be understood the source itself is shown.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, Final

_MATH: Final = re.compile(
    r"(?<!\\)\$\$(?P<display>.+?)\$\$|\\\[(?P<bracket>.+?)\\\]|\\\((?P<paren>.+?)\\\)"
    r"|(?<!\\)\$(?P<inline>(?:\\.|[^$\\])+?)\$",
    re.DOTALL,
)
_FIGURE: Final = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL | re.IGNORECASE)
_COMMAND: Final = re.compile(r"\\[a-zA-Z]+|\\[%$&#_{}]")
_MONEY: Final = re.compile(r"\s*\d[\d,.]*(?:\s+[^\W\d_]{2,}|[\s,;:]+$)")
_DEGREE: Final = re.compile(r"\^(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))")
_SCRIPT: Final = re.compile(r"(?<!\\)([\^_])(?:\{\s*([^{}\\\s]{1,6})\s*\}|([0-9A-Za-z*']))")
_LONG_SCRIPT: Final = re.compile(r"(?<!\\)([\^_])\{([^{}]*)\}")
_RELATION: Final = re.compile(r" *([≤≥≠≡∈∉≈∣→⊂⊆×]) *")
_BARE_PERCENT: Final = re.compile(r"(?<!\\)%")

_SUPERSCRIPTS: Final = dict(zip("0123456789+-=()nix", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣ", strict=True))
_SUBSCRIPTS: Final = dict(
    zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)
)
_LONGEST: Final = 20_000
"""Longer texts are shown as they are: parsing is linear but slow."""


@lru_cache(maxsize=2048)
def readable(text: str) -> str:
    """A statement for reading: formulas as Unicode, everything else as it was."""
    if ("\\" not in text and "$" not in text and "[asy]" not in text) or len(text) > _LONGEST:
        return text
    text = _FIGURE.sub("[figure, drawn by Asymptote code]", text)
    pieces, done = [], 0
    for match in _MATH.finditer(text):
        source = next(group for group in match.groups() if group is not None)
        if match["inline"] is not None and _is_money(source):
            continue
        pieces += [_prose(text[done : match.start()]), _formula(source, match[0])]
        done = match.end()
    pieces.append(_prose(text[done:]))
    return "".join(pieces)


def _is_money(inside: str) -> bool:
    return "\\" not in inside and _MONEY.match(inside) is not None


def _prose(text: str) -> str:
    return _convert(text, text) if _COMMAND.search(text) else text


def _formula(source: str, fallback: str) -> str:
    return _RELATION.sub(r" \1 ", _convert(source, fallback)).strip()


def _convert(source: str, fallback: str) -> str:
    head = source[: len(source) - len(source.lstrip())]
    tail = source[len(source.rstrip()) :] if source.strip() else ""
    degrees = _DEGREE.sub("°", source.strip())
    scripts = _LONG_SCRIPT.sub(r"\1(\2)", _SCRIPT.sub(_script, degrees))
    try:
        text: str = _converter().latex_to_text(_BARE_PERCENT.sub(r"\\%", scripts))
    except Exception:  # a parser fed with anything at all: its failures are not ours to list
        return fallback
    return head + text + tail if text.strip() or not source.strip() else fallback


def _script(match: re.Match[str]) -> str:
    letters = _SUPERSCRIPTS if match[1] == "^" else _SUBSCRIPTS
    inside = match[2] or match[3]
    if all(character in letters for character in inside):
        # in braces, or a command before it would take the letters into its name
        return "{" + "".join(letters[character] for character in inside) + "}"
    return f"{match[1]}{inside}" if len(inside) == 1 else f"{match[1]}({inside})"


@cache
def _converter() -> Any:
    from pylatexenc import latex2text, latexwalker
    from pylatexenc.macrospec import MacroSpec

    known = latexwalker.get_default_latex_context_db()
    known.add_context_category(
        "explorer",
        prepend=True,
        macros=[MacroSpec(name, "{{") for name in ("dfrac", "tfrac", "cfrac", "binom", "dbinom")]
        + [MacroSpec(name, "{") for name in ("boxed", "overline", "operatorname", "pmod")],
    )
    shown = latex2text.get_default_latex_context_db()
    macros = [
        *(
            latex2text.MacroTextSpec(name, simplify_repl=_fraction)
            for name in ("frac", "dfrac", "tfrac", "cfrac")
        ),
        *(latex2text.MacroTextSpec(name, "C(%s, %s)") for name in ("binom", "dbinom")),
        latex2text.MacroTextSpec("sqrt", simplify_repl=_root),
        latex2text.MacroTextSpec("boxed", "[%s]"),
        latex2text.MacroTextSpec("overline", "%s̅"),
        latex2text.MacroTextSpec("operatorname", "%s"),
        latex2text.MacroTextSpec("pmod", " (mod %s)"),
        latex2text.MacroTextSpec("degree", "°"),
        latex2text.MacroTextSpec("dots", "…"),
        *(
            latex2text.MacroTextSpec(name, "")
            for name in ("left", "right", "big", "Big", "bigl", "bigr", "displaystyle", "limits")
        ),
    ]
    shown.add_context_category("explorer", prepend=True, macros=macros)
    unknown = latex2text.MacroTextSpec("", simplify_repl=lambda node: node.latex_verbatim())
    shown.set_unknown_macro_spec(unknown)
    converter = latex2text.LatexNodes2Text(latex_context=shown, math_mode="text")
    return _Converter(converter, known)


class _Converter:
    """pylatexenc's two halves, with our macros in both."""

    def __init__(self, to_text: Any, known: Any) -> None:
        self._to_text, self._known = to_text, known

    def latex_to_text(self, source: str) -> str:
        from pylatexenc.latexwalker import LatexWalker

        walker = LatexWalker(source, latex_context=self._known, tolerant_parsing=True)
        text: str = self._to_text.nodelist_to_text(walker.get_latex_nodes()[0])
        return text


def _fraction(node: Any, l2tobj: Any) -> str:
    over, under = (l2tobj.nodelist_to_text([part]).strip() for part in node.nodeargd.argnlist)
    return f"{_grouped(over)}/{_grouped(under)}"


def _root(node: Any, l2tobj: Any) -> str:
    degree, inside = node.nodeargd.argnlist
    text = _grouped(l2tobj.nodelist_to_text([inside]).strip())
    sign = "√"
    if degree is not None:
        which = l2tobj.nodelist_to_text([degree]).strip()
        sign = {"3": "∛", "4": "∜", "2": "√"}.get(which, f"{which}√")
    return sign + text


def _grouped(text: str) -> str:
    """Parentheses around what would otherwise read wrongly: `(a+b)/c`, never `a+b/c`."""
    simple = text.isalnum() or (len(text) > 1 and text[0] == "√" and text[1:].isalnum())
    wrapped = text.startswith("(") and text.endswith(")") and ")" not in text[1:-1]
    return (
        text
        if simple or wrapped or len(text) <= 1 or text.replace(".", "").isdecimal()
        else f"({text})"
    )
