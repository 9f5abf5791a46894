"""A model's votes on the reasoning of right answers: what is missing, and drawing it.

Invariant: each vote is stored as it arrives, under the key of the arm that it was drawn as, so
that a changed prompt, sampling or checkpoint of the judge asks anew and is never mixed with it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final, cast

from explorer.core.arm import cell_seed
from explorer.core.judging import JUDGE_CHAT, JUDGE_PLAIN, read_vote
from explorer.core.problem import Problem
from explorer.core.prompts import Template
from explorer.core.review import JUDGE_PREFIX, Finding
from explorer.engines.base import Engine, Progress, Sampled, SampleJob
from explorer.sampler import images
from explorer.sampler.arms import arm_of
from explorer.sampler.desk import Desk
from explorer.settings import Settings
from explorer.store import queries, reviews
from explorer.store.rows import RequestRow, ReviewRow, TraceRow

REPLY_KEPT: Final = 2000
"""Characters of the end of a judge's reply that are kept as the note of its vote."""


def missing(desk: Desk, settings: Settings, engine: Engine, request: RequestRow) -> list[int]:
    """Ids of the right answers asked for that lack a vote."""
    assert request.arm_id is not None, "a judge request names an arm"
    right = reviews.right_answers(desk.db, request.arm_id, request.problem_id)[: request.n]
    source = source_of(settings, engine, request)
    name, votes = JUDGE_PREFIX + request.model, settings.review.votes
    return reviews.without_votes(desk.db, right, name, votes, source)


def source_of(settings: Settings, engine: Engine, request: RequestRow) -> str:
    """Key of the arm that the judge votes as."""
    assert request.sampling is not None, "a judge request has sampling settings"
    template = template_of(settings, request.model)
    return arm_of(engine.info, template, request.sampling).key()


def template_of(settings: Settings, judge: str) -> Template:
    """The judge's prompt: explorer.toml's, else ours for a model with or without a chat."""
    if settings.review.template:
        return settings.templates[settings.review.template]
    own = settings.templates[settings.models[judge].template]
    return JUDGE_CHAT if own.chat else JUDGE_PLAIN


async def judge(
    desk: Desk, settings: Settings, engine: Engine, request: RequestRow, wanted: Sequence[int]
) -> None:
    """Draw the missing votes on these completions."""
    for completion_id in wanted:
        trace = queries.trace_alone(desk.db, completion_id)
        problem = queries.problem_by_id(desk.db, request.problem_id)
        if trace is not None and problem is not None:
            await _judge_one(desk, settings, engine, request, problem.problem, trace)


async def _judge_one(
    desk: Desk,
    settings: Settings,
    engine: Engine,
    request: RequestRow,
    problem: Problem,
    trace: TraceRow,
) -> None:
    source, reviewer = source_of(settings, engine, request), JUDGE_PREFIX + request.model
    cast_already = {
        row.vote
        for row in reviews.of_completion(desk.db, trace.head.id)
        if row.reviewer == reviewer and row.source == source
    }
    votes = [vote for vote in range(settings.review.votes) if vote not in cast_already]
    template = template_of(settings, request.model)
    prompt = await images.encode(engine, template, _shown(problem, trace))

    def keep(vote: int, finding: Finding, note: str) -> None:
        made = time.time()
        row = ReviewRow(trace.head.id, reviewer, finding, note, made, True, vote, source)
        reviews.put_reviews(desk.db, [row])

    if len(prompt.ids) >= engine.info.context:
        for vote in votes:
            note = f"not judged: {len(prompt.ids):,} tokens do not fit the judge's context"
            keep(vote, Finding.UNDECIDED, f"{note} of {engine.info.context:,}")
        return
    assert request.sampling is not None
    seed = cell_seed(settings.seed, source, prompt.digest)
    job = SampleJob(prompt.ids, request.sampling, seed, tuple(votes), prompt.images, prompt.text)
    stream = cast("AsyncGenerator[Progress | Sampled, None]", engine.sample(job))
    async with aclosing(stream) as events:
        async for event in events:
            if isinstance(event, Sampled):
                keep(event.index, read_vote(event.text), event.text[-REPLY_KEPT:].strip())


def _shown(problem: Problem, trace: TraceRow) -> Problem:
    """The problem with what the judge's prompt may name beside its own columns."""
    columns = {
        **problem.extra,
        "gold": problem.gold or "(tests decide)",
        "answer": trace.head.answer,
        "completion": trace.text.strip(),
    }
    return replace(problem, extra=columns)
