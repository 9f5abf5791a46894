"""Chat turns written the way the model's own template says, by its tokenizer or its processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from explorer.errors import EngineError


def write(owner: Any, chat: Sequence[Mapping[str, Any]], prefilled: bool) -> str:
    """The prompt's text.

    Args:
        owner: a tokenizer or processor of transformers.
        chat: turns as {"role": …, "content": …}.
        prefilled: the last turn is the beginning of the answer, to be gone on with.

    Raises:
        EngineError: there is no template, or it refuses these turns.
    """
    if not getattr(owner, "chat_template", None):
        raise EngineError(
            "This model has no chat template",
            f"Its {type(owner).__name__} does not say how chat turns are written.",
            "Use a prompt template with chat = false.",
        )
    try:
        text = owner.apply_chat_template(
            list(chat),
            tokenize=False,
            add_generation_prompt=not prefilled,
            continue_final_message=prefilled,
        )
    except Exception as error:  # Jinja's own errors, and whatever a template raises
        raise EngineError(
            "The model's chat template refuses this prompt",
            f"{type(error).__name__}: {error}",
            "Some models take no system turn or no prefilled answer; change the template.",
        ) from error
    assert isinstance(text, str)
    return text
