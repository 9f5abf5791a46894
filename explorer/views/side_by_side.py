"""Two traces aligned, cut into groups that stand beside each other, sentence by sentence.

Invariant: the pieces of all groups, joined, are exactly the two texts, in order. By tokens a piece
is the same or different; by steps only calculations are, and the words around them are neither.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from explorer.core.alignment import Kind, Stretch, align
from explorer.core.completion import Tokens
from explorer.core.steps import Step, steps
from explorer.store.rows import ArmRow, TraceRow
from explorer.views.trace import char_ends_of

STEP_ISLAND: Final = 1
"""Every shared calculation stays a match: unlike words, few of them are shared by chance."""

_CUT: Final = re.compile(r"(?<=[.!?])\s+|\n+|(?<=[!?])\Z|(?<=[^\d]\.)\Z")

_SIGNS: Final = re.compile(r"[^\w\s(]*\s?")
"""What ends a calculation belongs to its line: a full stop, a closing brace, a blank."""


class By(StrEnum):
    """What two traces are aligned on."""

    TOKENS = "tokens"
    STEPS = "steps"


class Tone(StrEnum):
    """What a piece is."""

    SAME = "same"
    DIFFERENT = "different"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of one side; `difference` is the number of the difference it belongs to."""

    text: str
    tone: Tone
    difference: int | None = None


@dataclass(slots=True)
class Group:
    """What stands beside each other: about a sentence of each side."""

    left: list[Piece] = field(default_factory=list)
    right: list[Piece] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        return any(piece.tone is Tone.DIFFERENT for piece in (*self.left, *self.right))


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the sides differ.

    Attributes:
        left, right: the first token of it on either side; None where that side has none there.
    """

    left: int | None
    right: int | None


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two traces beside each other.

    Attributes:
        groups: in reading order.
        differences: in reading order; the first is where the two part.
        same: items (tokens or calculations) that stand aligned, of `left_items` and `right_items`.
        remark: why it is not aligned as was asked, '' if it is.
    """

    by: By
    groups: tuple[Group, ...]
    differences: tuple[Difference, ...]
    same: int
    left_items: int
    right_items: int
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two traces: usually an RL trace at the left and a base sample at the right."""

    left: TraceRow
    left_arm: ArmRow
    right: TraceRow
    right_arm: ArmRow

    @property
    def why_no_tokens(self) -> str:
        """Why they cannot be aligned on tokens, '' if they can."""
        if self.left.tokens is None or self.right.tokens is None:
            return "the tokens of one of them are not recorded"
        if not same_tokens(self.left, self.left_arm, self.right, self.right_arm):
            return "their tokenizers differ"
        if not (self.left.tokens.exact and self.right.tokens.exact):
            return "one of them was tokenised anew"
        return ""


def same_tokens(left: TraceRow, left_arm: ArmRow, right: TraceRow, right_arm: ArmRow) -> bool:
    """Whether token ids of two traces can be held against each other.

    Checkpoints of one family often carry tokenizer files that differ in nothing that matters. So
    beside equal tokenizers it is enough that ids which both traces have write the same bytes, and
    that most of the ids of the one with fewer are among them.
    """
    if left_arm.spec.tokenizer == right_arm.spec.tokenizer:
        return True
    if left.tokens is None or right.tokens is None:
        return False
    one, other = _written(left.text, left.tokens), _written(right.text, right.tokens)
    shared = one.keys() & other.keys()
    return 2 * len(shared) >= min(len(one), len(other)) > 0 and all(
        one[token] == other[token] for token in shared
    )


def _written(text: str, tokens: Tokens) -> dict[int, bytes]:
    """What each token id writes in this trace."""
    data, start, found = text.encode("utf-8", "surrogatepass"), 0, {}
    for token, end in zip(tokens.ids.tolist(), tokens.ends.tolist(), strict=True):
        found[token] = data[start:end]
        start = end
    return found


def align_pair(pair: Pair, by: By) -> Aligned:
    """Align two traces; on steps where tokens cannot be compared, saying why."""
    remark = pair.why_no_tokens if by is By.TOKENS else ""
    if by is By.TOKENS and not remark:
        return _by_tokens(pair)
    return _by_steps(pair, f"on steps: {remark}" if remark else "")


def _by_tokens(pair: Pair) -> Aligned:
    left, right = pair.left.tokens, pair.right.tokens
    assert left is not None
    assert right is not None
    stretches = align(left.ids.tolist(), right.ids.tolist())
    edges = [_edges(pair.left.text, left), _edges(pair.right.text, right)]
    groups: list[Group] = []
    differences: list[Difference] = []
    now = Group()
    for stretch in stretches:
        texts = (
            pair.left.text[edges[0][stretch.left_start] : edges[0][stretch.left_end]],
            pair.right.text[edges[1][stretch.right_start] : edges[1][stretch.right_end]],
        )
        if stretch.kind is Kind.DIFFERENT:
            number = len(differences)
            differences.append(_difference(stretch))
            for side, text, count in (
                (now.left, texts[0], stretch.left),
                (now.right, texts[1], stretch.right),
            ):
                if text or count:
                    side.append(Piece(text, Tone.DIFFERENT, number))
            continue
        for one, other, ends in _sentences(*texts):
            now.left.append(Piece(one, Tone.SAME))
            now.right.append(Piece(other, Tone.SAME))
            if ends:
                groups.append(now)
                now = Group()
    if now.left or now.right:
        groups.append(now)
    rest = (pair.left.text[edges[0][-1] :], pair.right.text[edges[1][-1] :])
    if any(rest):  # text that no token wrote, such as a stop string
        groups.append(Group(*([Piece(text, Tone.WORDS)] if text else [] for text in rest)))
    same = sum(one.left for one in stretches if one.kind is Kind.SAME)
    return Aligned(By.TOKENS, tuple(groups), tuple(differences), same, len(left), len(right))


def _by_steps(pair: Pair, remark: str) -> Aligned:
    found = steps(pair.left.text), steps(pair.right.text)
    left, right = _segments(pair.left.text, found[0]), _segments(pair.right.text, found[1])
    stretches = align([step.key for step in found[0]], [step.key for step in found[1]], STEP_ISLAND)
    groups: list[Group] = []
    differences: list[Difference] = []
    for stretch in stretches:
        if stretch.kind is Kind.SAME:
            for offset in range(stretch.left):
                one = left[stretch.left_start + offset]
                other = right[stretch.right_start + offset]
                groups.append(Group(_marked(one, Tone.SAME), _marked(other, Tone.SAME)))
            continue
        number = len(differences)
        differences.append(
            Difference(
                _token_of(pair.left, found[0], stretch.left_start, stretch.left),
                _token_of(pair.right, found[1], stretch.right_start, stretch.right),
            )
        )
        sides = (
            left[stretch.left_start : stretch.left_end],
            right[stretch.right_start : stretch.right_end],
        )
        groups.append(
            Group(
                *(
                    [piece for one in side for piece in _marked(one, Tone.DIFFERENT, number)]
                    for side in sides
                )
            )
        )
    rest = (_marked(left[-1], Tone.SAME), _marked(right[-1], Tone.SAME))
    if any(rest):
        groups.append(Group(*rest))
    same = sum(one.left for one in stretches if one.kind is Kind.SAME)
    return Aligned(
        By.STEPS, tuple(groups), tuple(differences), same, len(found[0]), len(found[1]), remark
    )


def _segments(text: str, found: Sequence[Step]) -> list[tuple[str, str, str]]:
    """(words before, calculation, the signs that end it) of every step; last what follows all."""
    pieces, done = [], 0
    for place, step in enumerate(found):
        limit = found[place + 1].start if place + 1 < len(found) else len(text)
        signs = _SIGNS.match(text, step.end, limit)
        stop = signs.end() if signs else step.end
        pieces.append((text[done : step.start], text[step.start : step.end], text[step.end : stop]))
        done = stop
    return [*pieces, (text[done:], "", "")]


def _marked(segment: tuple[str, str, str], tone: Tone, number: int | None = None) -> list[Piece]:
    words, calculation, signs = segment
    pieces = (
        Piece(words, Tone.WORDS),
        Piece(calculation, tone, number),
        Piece(signs, Tone.WORDS),
    )
    return [piece for piece in pieces if piece.text]


def _sentences(left: str, right: str) -> list[tuple[str, str, bool]]:
    """The same text on both sides, cut behind its sentences; whether each part ends one."""
    if left != right:  # only where a character is shared between tokens
        return [(left, right, False)]
    cuts = [match.end() for match in _CUT.finditer(left)]
    parts, done = [], 0
    for cut in cuts:
        parts.append((left[done:cut], left[done:cut], True))
        done = cut
    return [*parts, (left[done:], left[done:], False)] if done < len(left) else parts


def _difference(stretch: Stretch) -> Difference:
    return Difference(
        stretch.left_start if stretch.left else None,
        stretch.right_start if stretch.right else None,
    )


def _edges(text: str, tokens: Tokens) -> list[int]:
    """[T + 1] where each token begins in `text`, and where the last one ends."""
    return [0, *char_ends_of(text, tokens).tolist()]


def token_at(trace: TraceRow, character: int) -> int | None:
    """The token that wrote a character of the text, None if that is not known."""
    if trace.tokens is None or not len(trace.tokens):
        return None
    ends = char_ends_of(trace.text, trace.tokens).tolist()
    return min(bisect_right(ends, character), len(ends) - 1)


def _token_of(trace: TraceRow, found: Sequence[Step], start: int, count: int) -> int | None:
    return token_at(trace, found[start].start) if count else None
