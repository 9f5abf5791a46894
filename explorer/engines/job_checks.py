"""What no engine can do, refused in one way before a model is troubled with it."""

from __future__ import annotations

from collections.abc import Sequence

from explorer.engines.base import EngineInfo, SampleJob, ScoreJob
from explorer.errors import EngineError


def check_sample_job(info: EngineInfo, job: SampleJob) -> None:
    """Raises:
    EngineError: no prompt, no room after it, foreign token ids, or nothing to draw.
    """
    _check_prompt(info, job.prompt_ids)
    if job.sampling.max_tokens < 1:
        raise EngineError("max_tokens must be at least 1", f"It is {job.sampling.max_tokens}.")


def check_score_job(info: EngineInfo, job: ScoreJob) -> None:
    """Raises:
    EngineError: no prompt, a response that does not fit after it, or foreign token ids.
    """
    _check_prompt(info, job.prompt_ids)
    for position, response in enumerate(job.responses):
        length = len(job.prompt_ids) + len(response)
        if length > info.context:
            raise EngineError(
                "A completion is too long for the model that is to score it",
                f"Prompt and completion {position} have {length} tokens; the model's context "
                f"is {info.context}.",
                "Score shorter completions, or raise `context` of this model if it can hold more.",
            )
        _check_vocabulary(info, response)


def _check_prompt(info: EngineInfo, prompt_ids: Sequence[int]) -> None:
    if not prompt_ids:
        raise EngineError("The prompt has no tokens", "", "Give the template some text.")
    if len(prompt_ids) >= info.context:
        raise EngineError(
            "The prompt leaves no room for a completion",
            f"It has {len(prompt_ids)} tokens; prompt and completion share a context of "
            f"{info.context}.",
            "Shorten the prompt, or raise `context` of this model if it can hold more.",
        )
    _check_vocabulary(info, prompt_ids)


def _check_vocabulary(info: EngineInfo, ids: Sequence[int]) -> None:
    """An engine that does not know the size (0) is told by its server."""
    if ids and info.vocab_size and not 0 <= min(ids) <= max(ids) < info.vocab_size:
        raise EngineError(
            "A token id is not in this model's vocabulary",
            f"Ids run from {min(ids)} to {max(ids)}; the model has 0 to {info.vocab_size - 1}.",
            "These tokens come from another tokenizer; compare the models' tokenizers.",
        )
