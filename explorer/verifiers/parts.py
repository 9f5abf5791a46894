r"""Answers of several parts: labelled `(a) 3 (b) 4`, named `x = 1, y = 2`, or both signs of `\pm`.

Invariant: parts that carry different labels or names are told apart by them and never swapped.
"""

from __future__ import annotations

import re
from typing import Final

from explorer.verifiers.clean import split_list

_LABELS: Final = (tuple("abcdefgh"), ("i", "ii", "iii", "iv", "v", "vi"), tuple("123456"))
_LABEL = re.compile(
    r"(?:\\text\s?\{\s?)?\(?(?<![A-Za-z0-9])(?P<label>[a-h]|i{1,3}|iv|vi?|[1-6])\)\s?:?(?:\s?\})?"
)
_NAMED = re.compile(
    r"\s?(?P<name>[A-Za-z|]{1,3}|\\(?:alpha|beta|theta|lambda|mu|angle [A-Z]{1,3})"
    r"|[A-Za-z]_\{?[A-Za-z0-9]{1,4}\}?)\s?=\s?(?P<value>[^=<>]{1,400})"
)
_SIGNS = re.compile(r"\\(?:pm|mp)(?![a-zA-Z])")

MOST_PARTS: Final = 8


def labelled(text: str) -> tuple[str, ...]:
    """The values of `(a) 3, (b) 4` in the order of their labels; () if it is not of that form."""
    marks = list(_LABEL.finditer(text))[:MOST_PARTS]
    if len(marks) < 2 or text[: marks[0].start()].strip(" ,;$"):
        return ()
    names = [mark["label"] for mark in marks]
    if not any(names == list(known[: len(names)]) for known in _LABELS):
        return ()
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    values = [text[mark.end() : end].strip(" ,;.$") for mark, end in zip(marks, ends, strict=True)]
    return tuple(values) if all(values) else ()


def named(text: str) -> dict[str, str]:
    """`x = 1, y = 2` by name, where every part has a name of its own; else {}."""
    parts = split_list(text)
    if not 2 <= len(parts) <= MOST_PARTS:
        return {}
    matches = [_NAMED.fullmatch(part) for part in parts]
    found = {re.sub(r"[\s{}]", "", m["name"]): m["value"].strip() for m in matches if m}
    return found if len(found) == len(parts) else {}


def coordinates(text: str) -> tuple[str, ...]:
    """The entries of `(1, 2)`; () if it is not one pair of parentheses around several entries."""
    if not (text.startswith("(") and text.endswith(")")) or len(split_list(text)) != 1:
        return ()
    entries = tuple(split_list(text[1:-1]))
    return entries if len(entries) > 1 else ()


def both_signs(text: str) -> str:
    r"""`1 \pm i` as `1 + i, 1 - i`, part by part; `\mp` takes the other sign."""
    if not _SIGNS.search(text):
        return text
    inner = text.strip()
    if inner.startswith(r"\{") and inner.endswith(r"\}"):
        inner = inner[2:-2]
    parts: list[str] = []
    for part in split_list(inner):
        if _SIGNS.search(part):
            for plus, minus in (("+", "-"), ("-", "+")):
                one = re.sub(r"\\pm(?![a-zA-Z])", plus, part)
                one = re.sub(r"\\mp(?![a-zA-Z])", minus, one).strip()
                parts.append(re.sub(r"(?<=[=(,{])\s?\+|^\+", " ", one).strip())
        else:
            parts.append(part)
    return ", ".join(parts)
