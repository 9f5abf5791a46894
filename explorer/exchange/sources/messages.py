"""Chat messages as text: who asked what, and all that the model answered.

Invariant: every part of an answer is kept, in order; what is not the model's own text (tool calls,
tool output) is marked by a line in brackets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

_FLAT_CHAT: Final = re.compile(
    r"(?:\A|\n)(?:user|human)\n+(?P<asked>(?:(?!\n(?:user|human)\n).)*?)\n*(?:\n|\A)?assistant\s*\Z",
    re.DOTALL | re.IGNORECASE,
)
"""A chat that was decoded without its special tokens, such as `user\\n…\\nassistant\\n`."""

_MARKED_CHAT: Final = re.compile(
    r"(?:<\|im_start\|>user\n|<\|start_header_id\|>user<\|end_header_id\|>\n\n|<｜User｜>)"
    r"(?P<asked>.*?)(?:<\|im_end\|>|<\|eot_id\|>|<｜Assistant｜>)",
    re.DOTALL,
)


class Exchange(NamedTuple):
    """What was asked and what was answered."""

    asked: str
    answered: str
    turns: int


def content_text(content: object) -> str:
    """A message's content: text, or a list of parts of which text and reasoning are kept."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        kind = content.get("type")
        if kind == "reasoning":
            return thought(content_text(content.get("reasoning")))
        for name in ("text", "content"):
            if isinstance(content.get(name), str):
                return str(content[name])
        return f"[{kind}]" if isinstance(kind, str) else ""
    if isinstance(content, Sequence):
        return "\n".join(part for one in content if (part := content_text(one)))
    return ""


def thought(text: str) -> str:
    """Reasoning that a server took out of the text, put back as models write it."""
    return f"<think>\n{text}\n</think>\n" if text else ""


def answer_text(messages: Sequence[Any]) -> tuple[str, int]:
    """All that followed the prompt as one text, and how often the model spoke."""
    if not isinstance(messages, Sequence):
        raise ValueError("an answer that is neither text nor messages")
    parts: list[str] = []
    turns = 0
    for message in messages:
        if not isinstance(message, Mapping):
            parts.append(content_text(message))
            continue
        role = message.get("role")
        own = role in ("assistant", None)
        turns += own
        text = content_text(message.get("content"))
        hidden = message.get("reasoning_content")
        if isinstance(hidden, str) and hidden and "<think>" not in text:
            text = thought(hidden) + text
        if not own:
            text = f"[{role}]\n{text}"
        parts += [text, *_calls(message.get("tool_calls"))]
    return "\n\n".join(part for part in parts if part), turns


def asked_text(prompt: object) -> str:
    """What a person asked last, from chat turns or from their flat text."""
    if isinstance(prompt, str):
        return asked_in(prompt)
    if not isinstance(prompt, Sequence):
        return ""
    users = [one for one in prompt if isinstance(one, Mapping) and one.get("role") == "user"]
    chosen = users[-1:] or [one for one in prompt if isinstance(one, Mapping)][-1:]
    return content_text(chosen[0].get("content")) if chosen else ""


def asked_in(prompt: str) -> str:
    """The user's last turn in a rendered prompt; the whole prompt if it has no turns."""
    marked = list(_MARKED_CHAT.finditer(prompt))
    if marked:
        return marked[-1]["asked"].strip()
    flat = _FLAT_CHAT.search(prompt)
    return flat["asked"].strip() if flat else prompt


def _calls(calls: object) -> list[str]:
    said: list[str] = []
    for call in calls if isinstance(calls, list) else ():
        one = call
        if isinstance(one, str):
            try:
                one = json.loads(one)
            except ValueError:
                said.append(f"[tool call]\n{call}")
                continue
        function = one.get("function") if isinstance(one, Mapping) else None
        if not isinstance(function, Mapping):
            function = one if isinstance(one, Mapping) else {}
        arguments = function.get("arguments", "")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        name = function.get("name") or function.get("function") or ""
        said.append(f"[tool call {name}]\n{text}")
    return said
