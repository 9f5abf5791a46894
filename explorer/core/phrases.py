"""Finding words in traces: what a search text means, and the phrases that mark a second thought.

A text of words only matches those words in a row whatever stands between them, without regard to
case; one with any sign in it matches letter for letter, but for case and the width of white space.
Words are matched whole; a `*` at the end lets the last one go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

REFLECTION: Final = (
    "wait", "hold on", "hmm", "let me check", "let me double-check", "let me verify",
    "let me re-examine", "let me reconsider", "let me rethink", "let me think again",
    "double-check", "let's check", "let's verify", "let us check", "let us verify", "check again",
    "to verify", "alternatively", "another approach", "another way", "on second thought",
    "actually", "that's not right", "that is not right", "i made a mistake", "i made an error",
    "my mistake", "going back", "start over", "reconsider", "but is this correct", "is that right",
)  # fmt: skip
"""Phrases of a model that turns back on itself: self-checks, doubts and changes of approach. They
mark places worth reading, no more: a base model may well write them too."""

_MARKS: Final = "\u0300-\u036f"
_WORD: Final = rf"(?:[^\W_]|[{_MARKS}])"
_BETWEEN: Final = rf"(?:(?![{_MARKS}])[\W_])+"
_APOSTROPHE: Final = "['’ʼ]"


@dataclass(frozen=True, slots=True)
class Phrase:
    """What a person searches for.

    Attributes:
        text: as typed, trimmed.
        by_words: only its words matter, not what stands between them.
        has_words: there is a letter or digit in it.
        open_end: the last word may go on.
    """

    text: str
    by_words: bool
    has_words: bool
    open_end: bool

    @property
    def pattern(self) -> re.Pattern[str]:
        """What matches it in a text."""
        return _pattern(self)

    def occurs_in(self, text: str) -> bool:
        """As `pattern.search`, and many times as fast on the plain texts that most are."""
        first = self.text.split(" ", 1)[0].lower()
        if not (text.isascii() and first.isascii()):
            return self.pattern.search(text) is not None
        low, at = text.lower(), -1
        while (at := low.find(first, at + 1)) >= 0:
            if self.pattern.match(text, at):
                return True
        return False


def parse(text: str) -> Phrase:
    """The phrase that a text means; quotation marks around all of it are dropped."""
    kept = " ".join(text.split())
    if len(kept) > 2 and kept[0] == kept[-1] == '"':
        kept = kept[1:-1].strip()
    open_end = len(kept) > 1 and kept.endswith("*") and kept[-2].isalnum()
    body = kept[:-1] if open_end else kept
    return Phrase(
        body,
        by_words=bool(body) and all(one.isalnum() or one == " " for one in body),
        has_words=any(one.isalnum() for one in body),
        open_end=open_end,
    )


def spans(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """[start, end) of every match."""
    for match in pattern.finditer(text):
        yield match.start(), match.end()


@cache
def reflection_pattern() -> re.Pattern[str]:
    """What matches any phrase of `REFLECTION`, whole words, the longest first."""
    longest = sorted(REFLECTION, key=len, reverse=True)
    words = "|".join(
        re.escape(one).replace(r"\ ", r"\s+").replace(r"\-", r"[-\s]").replace("'", _APOSTROPHE)
        for one in longest
    )
    return re.compile(rf"(?<!{_WORD})(?:{words})(?!{_WORD})", re.IGNORECASE)


@cache
def _pattern(phrase: Phrase) -> re.Pattern[str]:
    if not phrase.text:
        return re.compile(r"(?!)")
    if phrase.by_words:
        body = _BETWEEN.join(re.escape(word) for word in phrase.text.split())
    else:
        body = r"\s+".join(re.escape(word) for word in phrase.text.split())
    before = rf"(?<!{_WORD})" if phrase.text[0].isalnum() else ""
    after = rf"(?!{_WORD})" if phrase.text[-1].isalnum() and not phrase.open_end else ""
    return re.compile(before + body + after, re.IGNORECASE)
