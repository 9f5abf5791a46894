"""Prompt templates. The prompt a model sees is made here and nowhere else.

A template is data: either plain text with `{question}` (and any column of the problem), or a
chat whose turns the model's own chat template then wraps. Substitution is literal: braces in a
statement are text, never fields.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from explorer.core.arm import canonical_json
from explorer.core.problem import Problem
from explorer.errors import SettingsError

_FIELD = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat prompt."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt as the model receives it.

    Attributes:
        text: the exact text, special tokens included.
        ids: the token ids that are sent.
    """

    text: str
    ids: tuple[int, ...]


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

        Raises:
            SettingsError: the template names a column that the problem does not have.
        """
        text = _substitute(self.text, problem, self.name)
        if not self.chat:
            return text
        turns = [Message("system", self.system)] if self.system else []
        turns.append(Message("user", text))
        if self.prefill:
            turns.append(Message("assistant", self.prefill))
        return turns


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
