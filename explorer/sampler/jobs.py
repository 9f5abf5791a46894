"""The work of one request on a loaded engine: what is missing, and drawing or scoring it.

Invariant: each completion and each score is stored the moment it arrives, in a transaction of its
own; leaving a job at any point loses only what was under way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeVar, cast

import numpy as np

from explorer.core.arm import Sampling, cell_seed, prompt_digest
from explorer.core.completion import Completion, Tokens, TokenScores
from explorer.core.prompts import RenderedPrompt, Template
from explorer.engines.base import Engine, Sampled, SampleJob, ScoreJob
from explorer.errors import DataError, ExplorerError
from explorer.sampler.arms import arm_of, scorer_of
from explorer.sampler.live import LiveBoard
from explorer.settings import Settings
from explorer.store import catalog, completions, queries
from explorer.store.rows import ProblemRow, RequestRow, TraceRow

ALTERNATIVES: Final = 10
"""How many tokens the scorer would have preferred are kept per position."""

Item = TypeVar("Item")


class UnworkableError(ExplorerError):
    """A request that this model can never fulfil, though nothing is wrong with the engine."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What jobs work with.

    Attributes:
        graded: told that completions were stored that have no verdict yet.
    """

    db: sqlite3.Connection
    live: LiveBoard
    graded: Callable[[], None]


def arm_id_of(desk: Desk, settings: Settings, engine: Engine, request: RequestRow) -> int:
    """The arm that a sample request asks for, made if new."""
    assert request.sampling is not None, "a sample request has sampling settings"
    template = settings.templates[settings.models[request.model].template]
    spec = arm_of(engine.info, template, request.sampling)
    return catalog.put_arm(desk.db, spec, request.model)


def missing(desk: Desk, settings: Settings, engine: Engine, request: RequestRow) -> list[int]:
    """Sample indices that are not stored, or ids of completions that are not scored."""
    if request.kind == "sample":
        arm_id = arm_id_of(desk, settings, engine, request)
        return completions.missing_indices(desk.db, arm_id, request.problem_id, request.n)
    scorer_id = catalog.put_scorer(desk.db, scorer_of(engine.info, request.model))
    return queries.unscored(desk.db, scorer_id, _to_score(desk.db, request))


def _to_score(db: sqlite3.Connection, request: RequestRow) -> list[int]:
    if request.completion_id is not None:
        return [request.completion_id]
    assert request.arm_id is not None, "a score request names an arm"
    heads = queries.heads(db, request.arm_id, request.problem_id)
    return [head.id for head in heads[: request.n]]


async def sample(
    desk: Desk, settings: Settings, engine: Engine, request: RequestRow, indices: Sequence[int]
) -> None:
    """Draw completions of these indices and store each as it arrives."""
    assert request.sampling is not None, "a sample request has sampling settings"
    arm_id = arm_id_of(desk, settings, engine, request)
    template = settings.templates[settings.models[request.model].template]
    prompt = await engine.encode(template.fill(_problem(desk, request).problem))
    _check_room(engine, len(prompt.ids))
    catalog.put_prompt(desk.db, arm_id, request.problem_id, prompt)
    desk.live.begin(arm_id, request.problem_id)
    seed = _seed(settings, engine, template, request.sampling, prompt)
    job = SampleJob(prompt.ids, request.sampling, seed, tuple(indices))
    async with aclosing(_generator(engine.sample(job))) as events:
        async for event in events:
            if not isinstance(event, Sampled):
                desk.live.show(event.index, event.text, event.n_tokens)
                continue
            completion = Completion(event.index, seed, event.text, event.finish, event.tokens)
            completions.append(desk.db, arm_id, request.problem_id, [(completion, None)])
            desk.live.finish(event.index, len(event.tokens))
            desk.graded()


def _seed(
    settings: Settings,
    engine: Engine,
    template: Template,
    sampling: Sampling,
    prompt: RenderedPrompt,
) -> int:
    key = arm_of(engine.info, template, sampling).key()
    return cell_seed(settings.seed, key, prompt_digest(prompt.ids))


async def score(desk: Desk, engine: Engine, request: RequestRow, wanted: Sequence[int]) -> None:
    """Score completions of one arm on one problem and store each score as it arrives."""
    scorer_id = catalog.put_scorer(desk.db, scorer_of(engine.info, request.model))
    traces = [trace for one in wanted if (trace := queries.trace(desk.db, one)) is not None]
    if not traces:
        raise DataError("The completion that was to be scored is not stored", f"Row {wanted}.")
    prompt_ids = await _prompt_ids(desk, engine, request, traces[0].arm_id)
    await _check_tokenizer(desk, engine, traces)
    chosen: list[tuple[int, Tokens]] = []
    for trace in traces:
        tokens = trace.tokens
        if tokens is None:
            tokens = await engine.retokenise(trace.text)
            completions.add_tokens(desk.db, trace.head.id, tokens)
        _check_room(engine, len(prompt_ids) + len(tokens) - 1)
        if len(tokens):
            chosen.append((trace.head.id, tokens))
        else:
            completions.record_score(desk.db, scorer_id, trace.head.id, _no_scores())
    responses = tuple(tuple(tokens.ids.tolist()) for _, tokens in chosen)
    if not responses:
        return
    job = ScoreJob(prompt_ids, responses, ALTERNATIVES)
    async with aclosing(_generator(engine.score(job))) as events:
        async for scored in events:
            completion_id = chosen[scored.position][0]
            completions.record_score(desk.db, scorer_id, completion_id, scored.scores)


def _problem(desk: Desk, request: RequestRow) -> ProblemRow:
    problem = queries.problem_by_id(desk.db, request.problem_id)
    assert problem is not None, "a request's problem is stored"
    return problem


async def _prompt_ids(
    desk: Desk, engine: Engine, request: RequestRow, arm_id: int
) -> tuple[int, ...]:
    """The prompt that the arm saw; for completions that came without it, the arm's template."""
    stored = queries.prompt(desk.db, arm_id, request.problem_id)
    if stored is not None:
        return stored.ids
    arm = next(arm for arm in queries.arms(desk.db) if arm.id == arm_id)
    template = Template.from_canonical("recorded", arm.spec.template)
    rendered = await engine.encode(template.fill(_problem(desk, request).problem))
    return rendered.ids


async def _check_tokenizer(desk: Desk, engine: Engine, traces: Sequence[TraceRow]) -> None:
    """Token ids mean something only to a model that has the same vocabulary.

    Where tokenizer files differ (a chat template is enough), the scorer must cut most texts
    into the same tokens.
    """
    arm_id = traces[0].arm_id
    arm = next(arm for arm in queries.arms(desk.db) if arm.id == arm_id)
    exact = [trace for trace in traces if trace.tokens is not None and trace.tokens.exact]
    if not exact or arm.spec.tokenizer == engine.info.tokenizer:
        return
    same = 0
    for trace in exact[:_COMPARED]:
        assert trace.tokens is not None
        own = trace.tokens.ids[np.diff(trace.tokens.ends, prepend=0) > 0]
        same += own.tolist() == (await engine.retokenise(trace.text)).ids.tolist()
    if 2 * same < len(exact[:_COMPARED]):
        raise UnworkableError(
            "The two models have different tokenizers",
            f"{arm.model.name} wrote these completions in tokens that the scoring model cuts"
            " otherwise, so their ids mean something else to it.",
            "Score with a model that shares the tokenizer, such as its base.",
        )


_COMPARED: Final = 8


def _check_room(engine: Engine, n_tokens: int) -> None:
    if n_tokens >= engine.info.context:
        raise UnworkableError(
            "This does not fit the model's context",
            f"It takes {n_tokens + 1} tokens or more; the context has {engine.info.context}.",
            "Raise `context` of this model in explorer.toml if it can hold more.",
        )


def _no_scores() -> TokenScores:
    floats, ints = np.zeros(0, np.float32), np.zeros(0, np.int32)
    return TokenScores(floats, ints, floats, ints.reshape(0, 0), floats.reshape(0, 0), [])


def _generator(stream: AsyncIterator[Item]) -> AsyncGenerator[Item, None]:
    """Engines yield from async generators; the protocol names what readers need of them."""
    return cast("AsyncGenerator[Item, None]", stream)
