"""The `transformers` engine, parent side: starts the child that holds the model and talks to it.

This process imports neither torch nor transformers, and the child's output never reaches the
terminal. Invariant: nobody waits for a dead child. When it goes, whoever waits gets an
`EngineError` with the last lines of its log, and so does everyone who asks later.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from explorer.core.completion import Tokens
from explorer.core.prompts import Message, RenderedPrompt
from explorer.engines.base import (
    EngineConfig,
    EngineInfo,
    Progress,
    Sampled,
    SampleJob,
    Scored,
    ScoreJob,
)
from explorer.engines.fingerprint import checkpoint_folder, is_hub_name
from explorer.engines.job_checks import check_sample_job, check_score_job
from explorer.engines.wire import Kind, Reply, Request, Verb, pack, read_reply
from explorer.errors import EngineError, MissingExtraError, SettingsError

LOG_LINES = 12
"""Lines of the child's log that an error shows."""

PATIENCE = 5.0
"""Seconds that a child which was told to end has before it is killed."""

_DTYPES = ("auto", "float32", "bfloat16", "float16")
_DEVICES = ("auto", "cpu", "cuda")
_QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
}


async def open_transformers(config: EngineConfig) -> TransformersEngine:
    """Start a child, have it load the model, and return the engine when it is ready.

    Raises:
        SettingsError: a value of `config` makes no sense.
        MissingExtraError: torch or transformers is not installed.
        EngineError: the model cannot be loaded.
    """
    _check(config)
    child, stream, writer = await _start(config)
    engine = TransformersEngine(child, stream, writer, config)
    try:
        await engine.load()
    except BaseException:
        await engine.close()
        raise
    return engine


class TransformersEngine:
    """A model in a child process; keeps the contract of `explorer.engines.base.Engine`.

    The child takes one sampling or scoring job at a time, in the order they were asked for.
    `encode` and `retokenise` do not wait for them.
    """

    def __init__(
        self,
        child: asyncio.subprocess.Process,
        stream: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        config: EngineConfig,
    ) -> None:
        self._child = child
        self._writer = writer
        self._config = config
        self._info: EngineInfo | None = None
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Queue[Reply | None]] = {}
        self._end: int | None = None
        self._log_start = _size(config.log_path)
        self._closing = False
        self._listener = asyncio.create_task(self._listen(stream), name="engine replies")

    @property
    def info(self) -> EngineInfo:
        assert self._info is not None, "the model is not loaded yet"
        return self._info

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    async def load(self) -> None:
        self._info = await self._ask(Verb.LOAD, self._config)

    async def encode(self, prompt: str | Sequence[Message]) -> RenderedPrompt:
        """Render chat turns with the model's chat template if need be, and tokenise.

        Raises:
            EngineError: the model has no chat template, or it refuses these turns.
        """
        payload = prompt if isinstance(prompt, str) else list(prompt)
        rendered = await self._ask(Verb.ENCODE, payload)
        assert isinstance(rendered, RenderedPrompt)
        return rendered

    async def retokenise(self, text: str) -> Tokens:
        """Tokenise a response text that came without ids."""
        tokens = await self._ask(Verb.RETOKENISE, text)
        assert isinstance(tokens, Tokens)
        return tokens

    async def sample(self, job: SampleJob) -> AsyncGenerator[Progress | Sampled, None]:
        """Yield progress a few times a second and each completion once, as it finishes."""
        check_sample_job(self.info, job)
        texts = dict.fromkeys(job.indices, "")
        async with contextlib.aclosing(self._replies(Verb.SAMPLE, job)) as replies:
            async for reply in replies:
                if reply.kind is Kind.ITEM:
                    yield reply.payload
                    continue
                for change in reply.payload:
                    text = texts[change.index][: change.kept] + change.added
                    texts[change.index] = text
                    yield Progress(change.index, text, change.n_tokens)

    async def score(self, job: ScoreJob) -> AsyncGenerator[Scored, None]:
        """Yield the scores of each response once, in any order, in bounded memory."""
        check_score_job(self.info, job)
        async with contextlib.aclosing(self._replies(Verb.SCORE, job)) as replies:
            async for reply in replies:
                yield reply.payload

    async def close(self) -> None:
        """End the child. Idempotent."""
        self._closing = True
        self._writer.close()  # the child takes the end of its input as an order to go
        try:
            await asyncio.wait_for(self._child.wait(), PATIENCE)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
            await self._child.wait()
        await asyncio.gather(self._listener, return_exceptions=True)

    def _check_alive(self) -> None:
        if self._closing:
            raise EngineError("The engine was closed", self._config.source)
        if self._end is not None:
            raise self._obituary(self._end)

    async def _ask(self, verb: Verb, payload: Any) -> Any:
        """The single item that answers a request."""
        answer = None
        async with contextlib.aclosing(self._replies(verb, payload)) as replies:
            async for reply in replies:
                answer = reply.payload
        return answer

    async def _replies(self, verb: Verb, payload: Any) -> AsyncGenerator[Reply, None]:
        """Send a request and yield what answers it; leaving early cancels it in the child."""
        self._check_alive()
        number = next(self._numbers)
        queue: asyncio.Queue[Reply | None] = asyncio.Queue()
        self._waiting[number] = queue
        over = False
        try:
            self._writer.write(pack(Request(number, verb, payload)))
            while (reply := await queue.get()) is not None and reply.kind is not Kind.DONE:
                if reply.kind is Kind.ERROR:
                    over = True
                    raise EngineError(reply.payload.title, reply.payload.detail, reply.payload.hint)
                yield reply
            over = True
            if reply is None:
                self._check_alive()
        finally:
            del self._waiting[number]
            if not over and not self._writer.is_closing():
                self._writer.write(pack(Request(number, Verb.CANCEL)))

    async def _listen(self, stream: asyncio.StreamReader) -> None:
        """Hand each reply to whoever waits for it, until the child is gone."""
        while (reply := await read_reply(stream)) is not None:
            if reply.number in self._waiting:
                self._waiting[reply.number].put_nowait(reply)
        # Waited for before it is killed: kill() reaps a child that has died already, and then
        # nobody learns how. A child that only closed its socket would be of no use either.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), PATIENCE)
        if not self._closing:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
        self._end = await self._child.wait()
        self._writer.close()
        for queue in self._waiting.values():
            queue.put_nowait(None)

    def _obituary(self, code: int) -> EngineError:
        manner = f"exit code {code}"
        hint = "The whole log may say more."
        if code < 0:
            manner = f"killed by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            hint = "If nobody killed it, the machine ran out of memory: lower batch_size or context"
            hint += ", or use a smaller dtype."
        where = f"{self._config.source} ({manner})"
        lines = _tail(self._config.log_path, self._log_start, LOG_LINES)
        return EngineError("The engine's process ended", "\n".join([where, *lines]), hint)


def _check(config: EngineConfig) -> None:
    for name, value, known in (
        ("dtype", config.dtype, _DTYPES),
        ("device", config.device, _DEVICES),
    ):
        if value not in known:
            raise SettingsError(
                f"{name} '{value}' is not known to the transformers engine",
                f"It knows: {', '.join(known)}.",
            )
    if min(config.context, config.batch_size, config.threads) < 0:
        raise SettingsError("context, batch_size and threads cannot be negative", config.source)
    if any(find_spec(package) is None for package in ("torch", "transformers")):
        raise MissingExtraError("The transformers engine", "local")
    if Path(config.source).exists() or not is_hub_name(config.source):
        folder = checkpoint_folder(config.source)
        if not (folder / "config.json").is_file():
            raise EngineError(
                "The folder holds no model",
                f"There is no config.json in {folder}.",
                "Name the folder that holds config.json and the weights.",
            )


async def _start(
    config: EngineConfig,
) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader, asyncio.StreamWriter]:
    here, there = socket.socketpair()
    try:
        if config.log_path is not None:
            config.log_path.parent.mkdir(parents=True, exist_ok=True)
        with there, open(config.log_path or os.devnull, "ab") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a module in the user's working folder must not shadow a library's
                "-m",
                "explorer.engines.transformers_worker",
                str(there.fileno()),
                str(os.getpid()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(there.fileno(),),
                env=_environment(config),
                start_new_session=True,
            )
    except OSError as failure:
        here.close()
        raise EngineError("The engine's process cannot be started", str(failure)) from failure
    stream, writer = await asyncio.open_connection(sock=here)
    return child, stream, writer


def _environment(config: EngineConfig) -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    environment = os.environ | _QUIET
    environment["PYTHONPATH"] = os.pathsep.join([root, inherited] if inherited else [root])
    environment.setdefault("TRANSFORMERS_VERBOSITY", "warning")
    if config.threads:
        environment["OMP_NUM_THREADS"] = environment["MKL_NUM_THREADS"] = str(config.threads)
    return environment


def _size(path: Path | None) -> int:
    return path.stat().st_size if path is not None and path.is_file() else 0


def _tail(path: Path | None, start: int, lines: int) -> list[str]:
    """The last lines that a log gained since `start`, reading no more of it than they can take."""
    if path is None or not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(start, _size(path) - 200 * lines))
        return file.read().decode("utf-8", "replace").splitlines()[-lines:]
