"""The child that holds one model: `python -m explorer.engines.transformers_worker FD PARENT`.

Two threads: this module's main thread runs the model, one job after the other; the other reads
requests, encodes text with a tokenizer of its own, and notes cancellations. Invariant: the child
does not outlive its parent. The kernel kills it with the parent (Linux), and the end of the
requests ends it everywhere.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from explorer.engines.wire import ChildEnd, Failure, Kind, Request, Verb
from explorer.errors import EngineError, ExplorerError

_PR_SET_PDEATHSIG = 1


def main() -> None:
    handle, parent = int(sys.argv[1]), int(sys.argv[2])
    _follow(parent)
    Worker(ChildEnd(handle)).run()


def _follow(parent: int) -> None:
    """Die with the parent, and by nothing that is meant for the terminal's foreground."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before the line above took effect
        os._exit(0)


class Worker:
    """Answers requests until the parent is gone."""

    def __init__(self, link: ChildEnd) -> None:
        self._link = link
        self._jobs: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._stops: dict[int, threading.Event] = {}
        self._loaded: Any = None
        self._scribe: Any = None

    def run(self) -> None:
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        while True:
            request = self._jobs.get()
            self._answer(request, self._model_job)
            del self._stops[request.number]

    def _read(self) -> None:
        while (request := self._link.read_request()) is not None:
            if request.verb is Verb.CANCEL:
                if (stop := self._stops.get(request.number)) is not None:
                    stop.set()
            elif request.verb in (Verb.ENCODE, Verb.RETOKENISE):
                self._answer(request, self._text_job)
            else:
                self._stops[request.number] = threading.Event()
                self._jobs.put(request)
        # Nothing is worth saving and the model's thread may be deep in a kernel: go at once.
        os._exit(0)

    def _answer(self, request: Request, job: Callable[[Request], None]) -> None:
        """Run a job and tell the parent how it ended."""
        try:
            job(request)
        except ExplorerError as error:
            failure = Failure(error.title, error.detail, error.hint)
            self._link.send(request.number, Kind.ERROR, failure)
        except BrokenPipeError:
            os._exit(0)
        except Exception as error:
            traceback.print_exc()
            detail = f"{type(error).__name__}: {error}"
            failure = Failure("The model failed", detail, "The engine's log has the traceback.")
            self._link.send(request.number, Kind.ERROR, failure)
        else:
            self._link.send(request.number, Kind.DONE)

    def _model_job(self, request: Request) -> None:
        number = request.number
        stopped = self._stops[number].is_set

        def item(result: object) -> None:
            self._link.send(number, Kind.ITEM, result)

        if request.verb is Verb.LOAD:
            from explorer.engines.hf_loading import load
            from explorer.engines.hf_text import Scribe

            self._loaded = load(request.payload)
            self._scribe = Scribe(
                self._loaded.tokenizer, self._loaded.info.vocab_size, self._loaded.images
            )
            item(self._loaded.info)
        elif request.verb is Verb.SAMPLE:
            from explorer.engines.hf_sampling import Sampler

            def progress(changes: object) -> None:
                self._link.send(number, Kind.PROGRESS, changes)

            Sampler(self._loaded, request.payload, item, progress, stopped).run()
        elif request.verb is Verb.SCORE:
            from explorer.engines.hf_scoring import score

            for scored in score(self._loaded, request.payload, stopped):
                item(scored)

    def _text_job(self, request: Request) -> None:
        if self._scribe is None:
            raise EngineError("The model is not loaded yet")
        answer = (
            self._scribe.encode(request.payload)
            if request.verb is Verb.ENCODE
            else self._scribe.retokenise(request.payload)
        )
        self._link.send(request.number, Kind.ITEM, answer)


if __name__ == "__main__":
    main()
