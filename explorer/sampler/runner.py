"""The sampler's loop: takes the most urgent request, works on it, looks again.

Invariant: a request that fails tells its story and never ends the loop; whatever ends the loop,
engines are closed, the live table is empty, and the last word is 'stopped'.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from explorer.engines.base import Engine
from explorer.engines.registry import open_engine as open_any_engine
from explorer.errors import EngineError, ExplorerError, StoreError
from explorer.sampler import guiding, jobs, judging, plan, settling
from explorer.sampler.crew import Crew, Flight
from explorer.sampler.desk import Desk
from explorer.sampler.grader import Grader
from explorer.sampler.live import LiveBoard
from explorer.sampler.places import Site, survey
from explorer.sampler.resident import OpenEngine, Residents
from explorer.sampler.timing import measured
from explorer.settings import Settings
from explorer.store import catalog, requests, revisions, status
from explorer.store.revisions import Topic
from explorer.store.rows import ModelRow, RequestRow, SamplerRow
from explorer.verifiers.pool import VerifierPool

log = logging.getLogger(__name__)

POLL_S: Final = 0.2
HEARTBEAT_S: Final = 1.0

LARGEST_JOB: Final = {"sample": 128, "guess": 128, "branch": 128, "score": 32, "judge": 8}
"""Completions per job; between jobs the queue is looked at again."""

MOST_STORE_ERRORS: Final = 5
"""In a row, a second apart; then the cache is beyond us and the sampler ends."""


class Runner:
    """One sampler at work on one cache."""

    def __init__(
        self,
        db: sqlite3.Connection,
        settings: Callable[[], Settings],
        *,
        open_engine: OpenEngine = open_any_engine,
        pool: VerifierPool | None = None,
        look: Callable[[], Site] = survey,
    ) -> None:
        """Prepare; nothing is started.

        Args:
            db: a writer's connection.
            settings: gives the explorer.toml of now.
            open_engine: how a model is loaded.
            pool: who checks answers; closed with the runner.
            look: asks this machine for its devices.
        """
        self.db = db
        self.settings = settings
        self.residents = Residents(open_engine, look=look, say=self._say_detail)
        self.live = LiveBoard(db)
        self.stopped_at: float | None = None
        self._stop = asyncio.Event()
        self._pool = pool or VerifierPool(code_unprotected=settings().code_unprotected)
        self._grader: Grader | None = None
        self._wishes = 0
        self._attempts: dict[tuple[int, float], int] = {}
        self._started = time.time()
        self._word = ("starting", "", "")

    def stop(self, asked_at: float | None = None) -> None:
        """Finish soon: what is being drawn is dropped, what is stored stays."""
        self.stopped_at = self.stopped_at or asked_at or time.time()
        self._stop.set()

    async def run(self) -> None:
        """Work until stopped, or idle for as long as the settings allow.

        Raises:
            StoreError: the cache cannot be used any more.
        """
        requests.requeue_running(self.db)
        status.replace_live(self.db, [])
        self._grader = Grader(self.settings().workspace.cache, self._pool)
        self._say(*self._word)
        await asyncio.to_thread(self.residents.sweep, self.settings())
        heart = asyncio.create_task(self._beat(), name="heartbeat")
        try:
            await self._work_until_idle()
        finally:
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)
            await self.residents.close_all()
            await asyncio.to_thread(self._grader.close)
            with suppress(StoreError):
                self.live.clear()
                self._say("stopped")

    async def _work_until_idle(self) -> None:
        last_work, errors = time.monotonic(), 0
        while not self._stop.is_set():
            try:
                request = self._most_urgent()
                if request is not None:
                    await self._attend(request)
                    last_work = time.monotonic()
                elif await self._idled_out(last_work):
                    return
                errors = 0
            except StoreError as error:
                log.error("%s", error)
                errors += 1
                if errors == MOST_STORE_ERRORS:
                    raise
                await self._sleep(1.0)

    async def _idled_out(self, last_work: float) -> bool:
        if self._word[0] != "idle":
            self._say("idle")
        assert self._grader is not None
        if self._wishes or not self._grader.idle:
            await self._sleep(POLL_S)
            return False
        if time.monotonic() - last_work >= self.settings().idle_exit_s:
            return True
        await self._sleep(POLL_S)
        return False

    def _most_urgent(self, crew: Crew | None = None) -> RequestRow | None:
        """The next request that has something missing that nobody draws yet.

        Those that have nothing missing are done.
        """
        settings = self.settings()
        crew = crew or Crew()
        assert self._grader is not None
        grading = not self._grader.idle
        self._wishes = settling.advance(self.db, grading=grading)
        self._wishes += guiding.advance(self.db, grading=grading)
        waiting = requests.open_requests(self.db)
        near = self.residents.near(settings) if waiting else ()
        for request in plan.in_order(waiting, self.residents.names(settings), near):
            engine = self.residents.get(settings, request.model)
            try:
                if engine is None or self._missing(settings, engine, request, crew):
                    return request
                if crew.works_on(request):
                    continue
                arm_id = jobs.conclude(self._desk(), settings, engine, request)
                self._settle(request, "done", arm_id=arm_id)
            except StoreError:
                raise
            except Exception as error:
                log.exception("a bug, at request %d", request.id)
                self._settle(request, "failed", _bug(error, settings))
        return None

    def _missing(
        self, settings: Settings, engine: Engine, request: RequestRow, crew: Crew
    ) -> list[int]:
        """What a request lacks and no flight draws."""
        under_way = crew.owed(request)
        found = jobs.missing(self._desk(), settings, engine, request)
        return [index for index in found if index not in under_way]

    async def _attend(self, request: RequestRow) -> None:
        """Work on a request, and on more of its model beside it where the engine gains from it.

        Until a job is done and none may follow it, or something more urgent comes up.
        """
        if not self._settle(request, "running"):
            return
        crew, seen, stopwatch = Crew(), -1, guiding.Stopwatch(self.db)
        crew.start(request, partial(self._work, crew))
        while crew:
            await crew.news(POLL_S)
            stopwatch.tick(flight.request for flight in crew)
            await self._land(crew)
            self.live.flush_if_due()
            now = revisions.current(self.db)[Topic.REQUESTS]
            if self._stop.is_set():
                self._requeue(await crew.cancel())
            elif now != seen and crew:
                await self._make_way(crew)
            seen = now
            self._join(crew)
        stopwatch.stop()
        self.live.clear()

    async def _land(self, crew: Crew) -> None:
        """Judge the jobs that have ended; an engine that failed takes its other jobs with it."""
        landed = crew.landed()
        faults = [
            flight.request
            for flight, task in landed
            if not task.cancelled() and isinstance(task.exception(), EngineError)
        ]
        if faults:
            self._requeue(await crew.cancel())
        for flight, task in landed:
            error = None if task.cancelled() else task.exception()
            is_further = isinstance(error, EngineError) and flight.request is not faults[0]
            if task.cancelled() or is_further:
                self._requeue([flight])
            else:
                await self._judge(flight.request, error)

    async def _make_way(self, crew: Crew) -> None:
        """End the jobs that nobody wants any more, or that a person's request outdoes."""
        most_urgent = self._most_urgent(crew)
        waiting = requests.open_requests(self.db)

        def is_outdone(flight: Flight) -> bool:
            return not plan.is_still_wanted(flight.request, waiting) or plan.should_give_way(
                flight.request, most_urgent
            )

        self._requeue(await crew.cancel(is_outdone))

    def _join(self, crew: Crew) -> None:
        """Begin a further job while those under way run out, if the engine batches across jobs."""
        while crew and crew.has_room and not self._stop.is_set():
            leader = next(iter(crew)).request
            engine = self.residents.get(self.settings(), leader.model)
            if engine is None or len(crew) >= engine.info.jobs_at_once:
                return
            request = self._most_urgent(crew)
            if (
                request is None
                or request.model != leader.model
                or request.kind not in requests.DRAWING
                or not self._settle(request, "running")
            ):
                return
            crew.start(request, partial(self._work, crew))

    def _requeue(self, flights: Sequence[Flight]) -> None:
        for flight in flights:
            self._settle(flight.request, "queued")

    async def _work(self, crew: Crew, flight: Flight) -> None:
        settings, request = self.settings(), flight.request
        if self.residents.get(settings, request.model) is None:
            self._say("loading", request.model)
            self._describe_models(settings)
        upcoming = [other.model for other in requests.open_requests(self.db)]
        engine = await self.residents.need(settings, request.model, upcoming)
        desk = self._desk()
        wanted = self._missing(settings, engine, request, crew)
        batch = plan.next_batch(wanted, LARGEST_JOB[request.kind])
        if not batch:
            return
        if request.kind == "judge":
            self._say("judging", request.model, f"{len(wanted)} to judge")
            await judging.judge(desk, settings, engine, request, batch)
        elif request.kind in requests.DRAWING:
            flight.take(batch)
            self._say("sampling", request.model, f"{len(wanted)} of {request.n} to draw")
            with measured(self.db, self.live, jobs.arm_id_of(desk, settings, engine, request)):
                await jobs.sample(desk, settings, engine, request, batch, flight.stored)
        else:
            self._say("scoring", request.model, f"{len(wanted)} to score")
            await jobs.score(desk, engine, request, batch)

    async def _judge(self, request: RequestRow, error: BaseException | None) -> None:
        """What becomes of a request after a job: more, done, once again, or failed."""
        attempt = (request.id, request.asked)
        if error is None:
            self._attempts.pop(attempt, None)
        elif isinstance(error, EngineError):
            was_loaded = self.residents.get(self.settings(), request.model) is not None
            await self.residents.close(request.model)
            self._attempts[attempt] = self._attempts.get(attempt, 0) + 1
            log.error("request %d, %s: %s", request.id, request.model, error)
            if not was_loaded:
                self._fail_all_of(request, error)
            elif self._attempts[attempt] > 1:
                self._settle(request, "failed", error)
        elif isinstance(error, ExplorerError):
            log.error("request %d, %s: %s", request.id, request.model, error)
            self._settle(request, "failed", error)
        else:
            log.error("a bug, at request %d", request.id, exc_info=error)
            self._settle(request, "failed", _bug(error, self.settings()))

    def _fail_all_of(self, request: RequestRow, error: ExplorerError) -> None:
        """A model that cannot be loaded is not loaded again for each of its requests."""
        for other in requests.open_requests(self.db):
            if other.model == request.model:
                self._settle(other, "failed", error)

    def _settle(
        self,
        request: RequestRow,
        state: str,
        error: ExplorerError | None = None,
        arm_id: int | None = None,
    ) -> bool:
        return requests.set_state(
            self.db, request.id, state, error, arm_id=arm_id, asked=request.asked
        )

    def _desk(self) -> Desk:
        assert self._grader is not None
        return Desk(self.db, self.live, self._grader.wake)

    def _describe_models(self, settings: Settings) -> None:
        rows: Sequence[ModelRow] = [
            ModelRow(model.name, model.role.value, model.base, model.algorithm)
            for model in settings.models.values()
        ]
        catalog.put_models(self.db, rows)

    async def _beat(self) -> None:
        while True:
            try:
                self._say(*self._word)
                self.residents.touch(self.settings())
                found = status.sampler(self.db)
                if found is not None and found.stop_requested:
                    self.stop(found.stop_requested / 1000)
            except StoreError as error:
                log.error("no heartbeat: %s", error)
            await asyncio.sleep(HEARTBEAT_S)

    def _say_detail(self, detail: str) -> None:
        self._say(self._word[0], self._word[1], detail)

    def _say(self, state: str, model: str = "", detail: str = "") -> None:
        self._word = (state, model, detail)
        speed = self.live.tokens_per_s() if state == "sampling" else 0.0
        row = SamplerRow(
            pid=os.getpid(),
            host=socket.gethostname(),
            started=self._started,
            heartbeat=time.time(),
            state=state,
            model=model,
            detail=detail,
            tokens_per_s=speed,
            stop_requested=0,
        )
        status.report_sampler(self.db, row)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def _bug(error: BaseException, settings: Settings) -> ExplorerError:
    return ExplorerError(
        "This request met a bug in rlvr-explorer",
        f"{type(error).__name__}: {error}",
        f"The traceback is in {settings.workspace.sampler_log}.",
    )
