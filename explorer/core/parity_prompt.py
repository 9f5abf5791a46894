"""Parity of words: the prompt that each arm saw, and stop strings that can occur in text.

Prompts are compared as they were sent, not as a template calls itself. A stop string that is a
plain word ends a solution in the middle of 'trousers', and its finish reason still says 'stop'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, ndiff
from typing import Final

from explorer.core.parity_evidence import ArmEvidence, Finding, Severity, is_known
from explorer.core.prompts import Template

_MARKER: Final = re.compile(r"^\s*(<[|/]?[^<>]+>|\[/?[A-Z]+\]|```|#{1,6} ?\w*:?|\s+)\s*$")
"""Stop strings that a solution does not contain by accident: `<|im_end|>`, `</s>`, `\\n\\n`."""

_LONGEST_DIFF: Final = 400
"""Lines of two prompts that are compared one by one; longer ones are told to differ."""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a prompt diff: sign ' ', '-' (only left) or '+' (only right)."""

    sign: str
    text: str


def prompt_diff(left: str, right: str) -> tuple[DiffLine, ...]:
    """The lines of two prompts, in order, with what only one of them has."""
    ours, theirs = left.split("\n"), right.split("\n")
    if len(ours) + len(theirs) > _LONGEST_DIFF:
        return _block_diff(ours, theirs)
    lines = ndiff(ours, theirs, charjunk=None)
    return tuple(DiffLine(line[0], line[2:]) for line in lines if line[0] != "?")


def _block_diff(ours: list[str], theirs: list[str]) -> tuple[DiffLine, ...]:
    found: list[DiffLine] = []
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    for kind, a, b, c, d in blocks:
        if kind == "equal":
            found += [DiffLine(" ", line) for line in ours[a:b]]
            continue
        found += [DiffLine("-", line) for line in ours[a:b]]
        found += [DiffLine("+", line) for line in theirs[c:d]]
    return tuple(found)


def check_prompt(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    """Whether both arms were asked the same, in the same words and tokens."""
    same_task = _task(left.spec.template) == _task(right.spec.template)
    if left.prompt is None or right.prompt is None:
        yield from _check_templates(left, right, same_task)
    elif left.prompt != right.prompt:
        yield Finding(
            "prompt",
            Severity.DOUBT if same_task else Severity.BLOCKS,
            "The rendered prompts differ"
            + (
                ": the same task in the models' own chat templates." if same_task
                else f": '{_short(left.spec.template)}' and '{_short(right.spec.template)}'."
            ),
            "A model answers best in the prompt that it was trained with, so the difference "
            "between two prompts passes for one between two models.",
            "Give both models one template, or name the prompts wherever you show the result.",
        )  # fmt: skip
    elif (
        left.prompt_ids != right.prompt_ids
        and left.prompt_ids
        and right.prompt_ids
        and left.spec.tokenizer == right.spec.tokenizer
    ):
        yield Finding(
            "prompt",
            Severity.DOUBT,
            f"The same prompt text in other tokens ({len(left.prompt_ids)} and"
            f" {len(right.prompt_ids)}).",
            "A begin token that only one model gets changes what it writes.",
            "Compare the tokenizers' add_bos_token, and where special tokens are added.",
        )


def _check_templates(left: ArmEvidence, right: ArmEvidence, same_task: bool) -> Iterator[Finding]:
    """For arms whose prompts are not both stored; that one is missing is told elsewhere."""
    if left.spec.template == right.spec.template or same_task:
        return
    by_name = not (is_known(left.spec.template) and is_known(right.spec.template))
    names = f"'{_short(left.spec.template)}' and '{_short(right.spec.template)}'"
    yield Finding(
        "prompt",
        Severity.DOUBT if by_name else Severity.BLOCKS,
        f"The prompts are known by name only, and the names differ: {names}."
        if by_name
        else f"The prompt templates differ: {names}.",
        "The difference between two prompts passes for one between two models.",
        "Give both models one template, or find out what the prompts were.",
    )


def check_stop_words(
    left: ArmEvidence, right: ArmEvidence, statements: Mapping[str, int]
) -> Iterator[Finding]:
    """Stop strings that only one arm has, and those that occur in ordinary text."""
    ours, theirs = set(left.spec.sampling.stop), set(right.spec.sampling.stop)
    for arm, other, words in ((left, right, ours - theirs), (right, left, theirs - ours)):
        if words:
            listed = ", ".join(repr(word) for word in sorted(words))
            yield Finding(
                "stop strings",
                Severity.BLOCKS if any(other.words.get(word, 0) for word in words)
                else Severity.DOUBT,
                f"Only {arm.name} stops at {listed}.",
                "One arm's answers are cut where the other's go on.",
                "Sample both with one preset.",
            )  # fmt: skip
    for word in sorted(ours | theirs):
        yield from _check_word(word, left, right, statements.get(word, 0))


def _check_word(
    word: str, left: ArmEvidence, right: ArmEvidence, statements: int
) -> Iterator[Finding]:
    users = [arm for arm in (left, right) if word in arm.spec.sampling.stop]
    asked = [arm.name for arm in users if _asks_for(word, arm.spec.template)]
    if asked:
        yield Finding(
            "stop strings",
            Severity.BLOCKS,
            f"The prompt of {' and '.join(asked)} asks for {word!r}, which is a stop string.",
            "The answer is cut off exactly where it begins.",
            f"Take {word!r} out of the preset's `stop`.",
        )
    seen = sum(arm.words.get(word, 0) for arm in (left, right) if arm not in users)
    cut = sum(arm.cut_by_words for arm in users)
    plain = _MARKER.match(word) is None and bool(word.strip())
    if not plain or not (seen or statements or cut or word.strip().isalpha()):
        return
    facts = [f"{seen:,} completions of the other arm hold it"] if seen else []
    facts += [f"{statements:,} problem statements hold it"] if statements else []
    facts += [f"{cut:,} completions were ended by a stop string"] if cut else []
    severity = Severity.DOUBT if word.strip().isalpha() or statements else Severity.NOTE
    if seen or (cut and statements):
        severity = Severity.BLOCKS
    yield Finding(
        "stop strings",
        severity,
        f"The stop string {word!r} is a word of ordinary text"
        + (f": {'; '.join(facts)}." if facts else "."),
        "It ends a solution in the middle, and the finish reason still says 'stop'.",
        f"Take {word!r} out of the preset's `stop`; end tokens are enough.",
    )


def _asks_for(word: str, template: str) -> bool:
    """Whether a template's instructions name a word; a label such as 'Question:' is none."""
    bare = word.strip()
    label = re.compile(rf"^\s*{re.escape(bare)}\s*(\{{[a-z_]+\}})?\s*$", re.MULTILINE)
    return bool(bare) and bare in label.sub("", _task(template))


def _task(template: str) -> str:
    """What a template says, without how a chat wraps it."""
    turns = Template.from_canonical("", template)
    return "\n".join(part for part in (turns.system, turns.text) if part).strip()


def _short(template: str) -> str:
    text = " ".join(_task(template).split())
    return text if len(text) <= 60 else text[:59] + "…"
