"""The work of one request on a loaded engine: what is missing, and drawing or scoring it.

Invariant: each completion and each score is stored the moment it arrives, in a transaction of its
own; leaving a job at any point loses only what was under way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final, TypeVar, cast

import numpy as np

from explorer.core.arm import ArmSpec, Sampling, cell_seed
from explorer.core.completion import Completion, Tokens, TokenScores
from explorer.core.prompts import RenderedPrompt, Template
from explorer.core.support import is_plain
from explorer.engines.base import Engine, Sampled, SampleJob, Scored, ScoreJob
from explorer.errors import DataError, ExplorerError
from explorer.sampler import images, judging
from explorer.sampler.arms import arm_of, facts_of, scorer_of
from explorer.sampler.beginnings import NOTHING, Beginning, beginning
from explorer.sampler.desk import Desk
from explorer.settings import Settings
from explorer.store import branches, catalog, completions, facts, noise, queries, requests, support
from explorer.store.rows import ProblemRow, RequestRow, TraceRow

ALTERNATIVES: Final = 10
"""How many tokens the scorer would have preferred are kept per position."""

Item = TypeVar("Item")


class UnworkableError(ExplorerError):
    """A request that this model can never fulfil, though nothing is wrong with the engine."""


def arm_id_of(desk: Desk, settings: Settings, engine: Engine, request: RequestRow) -> int:
    """The arm that a sample request asks for, made if new."""
    assert request.sampling is not None, "a sample request has sampling settings"
    spec = _spec_of(desk, settings, engine, request)
    arm_id = catalog.put_arm(desk.db, spec, request.model)
    if request.kind == "branch":
        branches.know_arm(desk.db, request.id, arm_id)
    return arm_id


def missing(desk: Desk, settings: Settings, engine: Engine, request: RequestRow) -> list[int]:
    """Sample indices that are not stored, or ids of completions not scored or judged."""
    if request.kind == "judge":
        return judging.missing(desk, settings, engine, request)
    if request.kind in requests.DRAWING:
        arm_id = arm_id_of(desk, settings, engine, request)
        return completions.missing_indices(desk.db, arm_id, request.problem_id, request.n)
    scorer_id = catalog.put_scorer(desk.db, scorer_of(engine.info, request.model))
    wanted = _to_score(desk.db, request)
    if request.sampling is not None:
        return support.missing(desk.db, scorer_id, wanted, request.sampling)
    return queries.unscored(desk.db, scorer_id, wanted)


def _to_score(db: sqlite3.Connection, request: RequestRow) -> list[int]:
    if request.completion_id is not None:
        return [request.completion_id]
    assert request.arm_id is not None, "a score request names an arm"
    heads = queries.heads(db, request.arm_id, request.problem_id)
    return [head.id for head in heads[: request.n]]


async def sample(
    desk: Desk,
    settings: Settings,
    engine: Engine,
    request: RequestRow,
    indices: Sequence[int],
    stored: Callable[[int], None] = lambda index: None,
) -> None:
    """Draw completions of these indices, store each as it arrives, and say so."""
    assert request.sampling is not None, "a sample request has sampling settings"
    arm_id = arm_id_of(desk, settings, engine, request)
    facts.put_facts(desk.db, arm_id, facts_of(engine.info))
    template = _template(desk, settings, request)
    prompt = await images.encode(engine, template, _problem(desk, request).problem)
    begun = await _beginning(desk, engine, request)
    sampling, ids = begun.rest_of(request.sampling), prompt.ids + begun.ids
    _check_room(engine, len(ids))
    catalog.put_prompt(desk.db, arm_id, request.problem_id, prompt)
    seed = cell_seed(settings.seed, _spec_of(desk, settings, engine, request).key(), prompt.digest)
    job = SampleJob(ids, sampling, seed, tuple(indices), prompt.images, prompt.text)
    with desk.live.begin(arm_id, request.problem_id) as live:
        async with aclosing(_generator(engine.sample(job))) as events:
            async for event in events:
                if not isinstance(event, Sampled):
                    live.show(event.index, event.text, event.n_tokens)
                    continue
                text, tokens = begun.joined(event.text, event.tokens)
                completion = Completion(event.index, seed, text, event.finish, tokens)
                completions.append(desk.db, arm_id, request.problem_id, [(completion, None)])
                live.finish(event.index, len(event.tokens))
                desk.graded()
                stored(event.index)


def _spec_of(desk: Desk, settings: Settings, engine: Engine, request: RequestRow) -> ArmSpec:
    assert request.sampling is not None, "a sample request has sampling settings"
    spec = arm_of(engine.info, _template(desk, settings, request), request.sampling)
    branch = branches.of_request(desk.db, request.id) if request.kind == "branch" else None
    return spec if branch is None else replace(spec, prefix=branches.digest(desk.db, branch))


async def _beginning(desk: Desk, engine: Engine, request: RequestRow) -> Beginning:
    """What the completions of a request are made to begin with; nothing but for a branch."""
    branch = branches.of_request(desk.db, request.id) if request.kind == "branch" else None
    trace = queries.trace(desk.db, branch.completion_id) if branch else None
    if branch is None or trace is None:
        return NOTHING
    if trace.tokens is None:
        raise UnworkableError(
            "The tokens of this completion are not known",
            "It was imported as text, so there is no token to go on from.",
            "Score it once: that cuts it into tokens.",
        )
    await _check_tokenizer(desk, engine, [trace])
    return beginning(trace.text, trace.tokens, branch)


async def score(desk: Desk, engine: Engine, request: RequestRow, wanted: Sequence[int]) -> None:
    """Score completions of one arm on one problem and store each score as it arrives."""
    scorer_id = catalog.put_scorer(desk.db, scorer_of(engine.info, request.model))
    stored = [queries.trace(desk.db, one, unplaced=True) for one in wanted]
    traces = [await _placed(desk, engine, trace) for trace in stored if trace is not None]
    if not traces:
        raise DataError("The completion that was to be scored is not stored", f"Row {wanted}.")
    prompt = await _prompt(desk, engine, request, traces[0].arm_id)
    await _check_tokenizer(desk, engine, traces)
    chosen: list[tuple[int, Tokens]] = []
    for trace in traces:
        tokens = trace.tokens
        if tokens is None:
            tokens = await engine.retokenise(trace.text)
            completions.add_tokens(desk.db, trace.head.id, tokens)
        _check_room(engine, len(prompt.ids) + len(tokens) - 1)
        if len(tokens):
            chosen.append((trace.head.id, tokens))
        else:
            empty = Scored(0, _no_scores())
            _keep_score(desk, engine, scorer_id, trace.head.id, empty, request.sampling)
    responses = tuple(tuple(tokens.ids.tolist()) for _, tokens in chosen)
    if not responses:
        return
    sampling = request.sampling or _own_sampling(desk.db, traces[0].arm_id)
    job = ScoreJob(
        prompt.ids, responses, ALTERNATIVES, prompt.images, prompt.text, sampling=sampling
    )
    async with aclosing(_generator(engine.score(job))) as events:
        async for scored in events:
            completion_id = chosen[scored.position][0]
            _keep_score(desk, engine, scorer_id, completion_id, scored, sampling)


def _own_sampling(db: sqlite3.Connection, arm_id: int) -> Sampling | None:
    """An arm's settings, unless nothing is cut by them: then log-probabilities say it all."""
    sampling = next(arm.spec.sampling for arm in queries.arms(db) if arm.id == arm_id)
    return sampling if sampling.is_known and not is_plain(sampling) else None


def _keep_score(
    desk: Desk,
    engine: Engine,
    scorer_id: int,
    completion_id: int,
    scored: Scored,
    sampling: Sampling | None,
) -> None:
    """The score first: what is left without its support is simply missing that."""
    completions.record_score(desk.db, scorer_id, completion_id, scored.scores)
    if sampling is not None:
        size = engine.info.vocab_size
        support.record(desk.db, scorer_id, completion_id, sampling, scored.truncation, size)


def conclude(desk: Desk, settings: Settings, engine: Engine, request: RequestRow) -> int | None:
    """What is left to do once nothing of a request is missing; returns a sample request's arm."""
    if request.kind == "judge":
        return None
    if request.kind in requests.DRAWING:
        return arm_id_of(desk, settings, engine, request)
    arms = [arm for arm in queries.arms(desk.db) if arm.id == request.arm_id]
    scorer = scorer_of(engine.info, request.model)
    for arm in arms:
        if noise.is_own(arm, scorer):
            noise.measure(desk.db, arm, replace(scorer, id=catalog.put_scorer(desk.db, scorer)))
    return None


def _template(desk: Desk, settings: Settings, request: RequestRow) -> Template:
    if request.kind == "guess":
        dataset = _problem(desk, request).problem.dataset
        return settings.guess_template_for(request.model, dataset)
    return settings.template_for(request.model, _problem(desk, request).problem.dataset)


def _problem(desk: Desk, request: RequestRow) -> ProblemRow:
    problem = queries.problem_by_id(desk.db, request.problem_id)
    assert problem is not None, "a request's problem is stored"
    return problem


async def _prompt(desk: Desk, engine: Engine, request: RequestRow, arm_id: int) -> RenderedPrompt:
    """The prompt that the arm saw; for completions that came without it, the arm's template."""
    stored = queries.prompt(desk.db, arm_id, request.problem_id)
    problem = _problem(desk, request).problem
    if stored is not None:
        return RenderedPrompt(stored.text, stored.ids, images.found(stored.images, problem))
    arm = next(arm for arm in queries.arms(desk.db) if arm.id == arm_id)
    if arm.spec.template.startswith("unknown:"):
        raise UnworkableError(
            "It is not known which prompt these completions answered",
            f"{arm.model.name}'s were imported from files that do not hold it"
            f" ({arm.spec.template.removeprefix('unknown:')}).",
            "Import them again with --template NAME, a template of explorer.toml.",
        )
    template = Template.from_canonical("recorded", arm.spec.template)
    return await images.encode(engine, template, problem)


async def _placed(desk: Desk, engine: Engine, trace: TraceRow) -> TraceRow:
    """The trace with what its tokens cover, if they came as ids alone and we cut the text alike."""
    tokens = trace.tokens
    if tokens is None or tokens.are_placed or not trace.text:
        return trace
    cut = await engine.retokenise(trace.text)
    rest = len(tokens) - len(cut)
    if rest < 0 or tokens.ids[: len(cut)].tolist() != cut.ids.tolist():
        return trace
    end = np.full(rest, len(trace.text.encode()), np.int32)
    ends = np.concatenate([cut.ends, end]).astype(np.int32)
    completions.place_tokens(desk.db, trace.head.id, ends)
    return replace(trace, tokens=replace(tokens, ends=ends))


async def _check_tokenizer(desk: Desk, engine: Engine, traces: Sequence[TraceRow]) -> None:
    """Token ids mean something only to a model that has the same vocabulary.

    Where tokenizer files differ (a chat template is enough), the scorer must cut the texts into
    mostly the same tokens. Not into the same ones throughout: a model may draw ` 1` and `2` where
    the text alone would be cut into ` 12`.
    """
    arm_id = traces[0].arm_id
    arm = next(arm for arm in queries.arms(desk.db) if arm.id == arm_id)
    exact = [trace for trace in traces if trace.tokens is not None and trace.tokens.exact]
    if not exact or arm.spec.tokenizer == engine.info.tokenizer:
        return
    same = all_tokens = 0
    for trace in exact[:_COMPARED]:
        assert trace.tokens is not None
        own, again = _cut(trace.tokens), _cut(await engine.retokenise(trace.text))
        same, all_tokens = same + len(own & again), all_tokens + len(own)
    if 2 * same < all_tokens:
        raise UnworkableError(
            "The two models have different tokenizers",
            f"{arm.model.name} wrote these completions in tokens that the scoring model cuts"
            " otherwise, so their ids mean something else to it.",
            "Score with a model that shares the tokenizer, such as its base.",
        )


def _cut(tokens: Tokens) -> set[tuple[int, int]]:
    """(id, end) of every token that covers some of the text."""
    covers = np.diff(tokens.ends, prepend=0) > 0
    return set(zip(tokens.ids[covers].tolist(), tokens.ends[covers].tolist(), strict=True))


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
