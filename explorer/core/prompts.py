"""Prompt templates. The prompt a model sees is made here and nowhere else.

A template is data: either plain text with `{question}` (and any column of the problem), or a
chat whose turns the model's own chat template then wraps. Substitution is literal: braces in a
statement are text, never fields.

Images stand in a prompt where the statement marks them (`<image1>`, `<image 2>`, `<image>`), and
those without a mark come first. A place is one `IMAGE_SLOT` character in the turn's content; what
the model writes there is the engine's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from explorer.core.arm import canonical_json, prompt_digest
from explorer.core.problem import Problem
from explorer.errors import SettingsError

_FIELD = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_IMAGE_MARK = re.compile(r"<image ?(\d*)>")

IMAGE_SLOT = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands in a turn's content for one of its images."""

PLAIN = ""
"""The role of a prompt that is no chat but has images: its text goes to the model as it is."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat prompt.

    Attributes:
        role: 'system', 'user', 'assistant', or `PLAIN`.
        content: its text; with one `IMAGE_SLOT` for each image, if it has any.
        images: paths of its images, in the order of the slots.
    """

    role: str
    content: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptImage:
    """An image that a prompt shows: where its file lies, and the digest of that file's content."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt as the model receives it.

    Attributes:
        text: the exact text, special tokens included; an image is one placeholder of the model.
        ids: the token ids that are sent; an image is as many ids as the model gives it.
        images: the images it shows, in order.
    """

    text: str
    ids: tuple[int, ...]
    images: tuple[PromptImage, ...] = ()

    @property
    def digest(self) -> str:
        """Identity of the prompt: its token ids and what its images hold."""
        return prompt_digest(self.ids, [image.digest for image in self.images])


@dataclass(frozen=True, slots=True)
class Template:
    """A named prompt template.

    Attributes:
        name: as in explorer.toml; not part of an arm's identity.
        text: plain text, or the user's turn when `chat` is set.
        chat: wrap as a chat with the model's own chat template.
        system: the system turn of a chat ('' = none).
        prefill: text that the assistant's turn begins with (chat only).
    """

    name: str
    text: str
    chat: bool = False
    system: str = ""
    prefill: str = ""

    def canonical(self) -> str:
        """The form that enters the arm key."""
        if not self.chat:
            return self.text
        turns = {"chat": self.text, "system": self.system, "prefill": self.prefill}
        return canonical_json(turns)

    def completed(self, question: str) -> Template:
        """This template with a dataset's way to put a question in place of {question}."""
        return replace(self, text=self.text.replace("{question}", question))

    @classmethod
    def from_canonical(cls, name: str, canonical: str) -> Template:
        """The template that has this canonical form."""
        try:
            turns = json.loads(canonical)
        except ValueError:
            turns = None
        if isinstance(turns, dict) and turns.keys() == {"chat", "system", "prefill"}:
            return cls(name, turns["chat"], True, turns["system"], turns["prefill"])
        return cls(name, canonical)

    def fill(self, problem: Problem) -> str | list[Message]:
        """The problem in this template: text, or chat turns (last one 'assistant' if prefilled).

        A problem with images gives turns in any case; without a chat, one of role `PLAIN`.

        Raises:
            SettingsError: the template names a column that the problem does not have.
        """
        text = _substitute(self.text, problem, self.name)
        images: tuple[str, ...] = ()
        if problem.images:
            text, images = place_images(text, problem.images)
        if not self.chat:
            return [Message(PLAIN, text, images)] if images else text
        turns = [Message("system", self.system)] if self.system else []
        turns.append(Message("user", text, images))
        if self.prefill:
            turns.append(Message("assistant", self.prefill))
        return turns


def place_images(text: str, images: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The text with a slot for each image, and the images in the order of the slots.

    An image stands at its first mark, one without a mark before everything. Marks are numbered
    from 1, or count up where they have no number. A later mark of an image names it in words; a
    mark that has no image stays as it is.
    """
    text = text.replace(IMAGE_SLOT, "\N{REPLACEMENT CHARACTER}")
    placed: list[int] = []
    unnumbered = 0

    def shown(match: re.Match[str]) -> str:
        nonlocal unnumbered
        unnumbered += not match[1]
        number = int(match[1] or unnumbered)
        if not 1 <= number <= len(images):
            return match[0]
        if number in placed:
            return f"image {number}"
        placed.append(number)
        return IMAGE_SLOT

    marked = _IMAGE_MARK.sub(shown, text)
    unmarked = [number for number in range(1, len(images) + 1) if number not in placed]
    before = IMAGE_SLOT * len(unmarked) + "\n" if unmarked else ""
    return before + marked, tuple(images[number - 1] for number in (*unmarked, *placed))


def _substitute(text: str, problem: Problem, template: str) -> str:
    columns = {"question": problem.statement, **problem.extra}

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in columns:
            raise SettingsError(
                f"Template '{template}' uses {{{name}}}, which this problem does not have",
                f"Problem {problem.dataset}/{problem.name} has: {', '.join(sorted(columns))}.",
                "Use {question}, or a column of the dataset.",
            )
        return str(columns[name])

    return _FIELD.sub(value, text)
