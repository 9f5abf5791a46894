"""The vLLM client against a server that fails on command: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("httpx", reason="the extra 'vllm' is not installed")

from explorer.core.arm import Sampling
from explorer.core.prompts import Message
from explorer.engines import vllm, vllm_http
from explorer.engines.base import Engine, EngineConfig, Progress, Sampled, SampleJob, ScoreJob
from explorer.engines.registry import open_engine
from explorer.engines.vllm_sampling import contiguous, per_request, seed_base
from explorer.errors import EngineError, SettingsError
from tests.scripted_vllm import CONTEXT, END, NAME, Script, ScriptedVllm, completion

KEY = "sEcReT-of-a-server"
PROMPT = tuple(b"2 + 2 =")
CUT = Sampling(0.6, top_p=0.95)


@pytest.fixture(autouse=True)
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rests shrink to almost nothing; what decides is counted, not timed."""
    monkeypatch.setattr(vllm_http, "LONGEST_REST_S", 0.001)


@contextlib.asynccontextmanager
async def opened(*urls: str, **config: Any) -> AsyncIterator[Engine]:
    engine = await open_engine(EngineConfig("", engine="vllm", urls=urls, **config))
    try:
        yield engine
    finally:
        await engine.close()


async def draw(engine: Engine, indices: Iterable[int], seed: int = 5, **sampling: Any) -> Any:
    job = SampleJob(PROMPT, Sampling(**{"max_tokens": 50} | sampling), seed, tuple(indices))
    return [item async for item in engine.sample(job)]


def checked(items: list[Any], indices: Iterable[int], seed: int = 5, limit: int = 50) -> None:
    """Each index once, with the tokens that belong to its seed."""
    done = [item for item in items if isinstance(item, Sampled)]
    assert sorted(item.index for item in done) == sorted(indices)
    for item in done:
        ids, finish = completion(seed_base(seed) + item.index, limit)
        assert item.tokens.ids.tolist() == ids
        assert item.finish.value == finish
        data = bytes(one for one in ids if one != END)
        assert item.text == data.decode("utf-8", "replace")
        assert item.tokens.ends[-1] == len(item.text.encode())
        assert item.tokens.logprobs is not None
        assert len(item.tokens.logprobs) == len(ids)


async def test_contiguous_indices_are_one_request_with_their_seed() -> None:
    async with ScriptedVllm() as server, opened(server.url) as engine:
        indices = [3, 4, 5, 9, 1000]
        checked(await draw(engine, indices), indices)
        base = seed_base(5)
        asked = sorted((body["seed"] - base, body["n"]) for body in server.requests)
        assert asked == [(3, 3), (9, 1), (1000, 1)]
        assert all(body["prompt"] == list(PROMPT) for body in server.requests)


def test_runs_cover_the_indices_once_and_seeds_stay_inside_int64() -> None:
    indices = [0, 1, 2, 3, 4, 7, 8, 20]
    runs = contiguous(indices, 3)
    assert [one for run in runs for one in run] == indices
    assert max(map(len, runs)) == 3
    seeds = [seed_base(seed) for seed in (0, 1, 2, 2**63 - 1)]
    assert all(0 <= seed < 2**62 for seed in seeds)
    gaps = [abs(a - b) for a in seeds for b in seeds if a != b]
    assert min(gaps) > 100_000  # neighbouring seeds must not share completions
    assert per_request(Sampling(temperature=0), 64, 1, 0) == 1
    assert per_request(Sampling(), 64, 4, 0) == 16
    assert per_request(Sampling(), 64, 1, 8) == 8


@pytest.mark.parametrize("fault", ["cut", "garbled", "500", "503", "429", "408"])
async def test_what_breaks_is_asked_again_and_nothing_else(fault: str) -> None:
    script = Script(deque([fault, "", fault]))
    async with ScriptedVllm(script) as server, opened(server.url) as engine:
        checked(await draw(engine, range(40)), range(40))
        asked = sum(body["n"] for body in server.requests)
        assert asked > 40  # something was asked for again, …
        assert set(server.finished.values()) == {1}  # … but nothing that had been finished
        assert len(server.finished) == 40


async def test_progress_after_a_broken_stream_does_not_go_back() -> None:
    async with ScriptedVllm(Script(deque(["cut"] * 3))) as server, opened(server.url) as engine:
        items = await draw(engine, range(12))
        checked(items, range(12))
        seen: dict[int, int] = {}
        for item in items:
            if isinstance(item, Progress):
                assert item.n_tokens > seen.get(item.index, 0)
                seen[item.index] = item.n_tokens


async def test_a_server_that_always_fails_is_given_up_with_its_reason(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "model.log"
    async with ScriptedVllm() as server, opened(server.url, log_path=log) as engine:
        server.script.faults = deque(["500"] * 100)
        with pytest.raises(EngineError, match="keeps failing") as caught:
            await draw(engine, range(4))
        assert "not now" in caught.value.detail
        assert server.url in caught.value.detail
        assert "HTTP 500" in log.read_text()
        server.script.faults.clear()
        checked(await draw(engine, range(4)), range(4))


async def test_nobody_there_is_told_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "OPENING_PATIENCE_S", 0.02)
    async with ScriptedVllm() as server:
        url = server.url
    with pytest.raises(EngineError, match="cannot be reached") as caught:
        async with opened(url):
            pass
    assert url in caught.value.detail
    assert "url" in caught.value.hint


async def test_a_server_that_starts_late_is_waited_for() -> None:
    async with ScriptedVllm() as first:
        port = first.port
    late = ScriptedVllm()
    opening = asyncio.create_task(
        open_engine(EngineConfig("", engine="vllm", urls=(f"http://127.0.0.1:{port}",)))
    )
    await asyncio.sleep(0)  # it is refused at least once: nobody listens yet
    await late.start(port)
    engine = await opening
    assert engine.info.context == CONTEXT
    await engine.close()
    await late.stop()


async def test_a_server_that_is_killed_and_started_again_goes_on() -> None:
    server = ScriptedVllm(Script(deque(["hang", "hang"])))
    await server.start()
    async with opened(server.url) as engine:
        drawing = asyncio.create_task(draw(engine, range(50)))
        await server.hanging.wait()
        await server.stop()
        server.script.faults.clear()
        await server.start(server.port)
        checked(await drawing, range(50))
    await server.stop()


async def test_leaving_closes_the_connection() -> None:
    async with (
        ScriptedVllm(Script(deque(["hang"]))) as server,
        opened(server.url) as engine,
    ):
        drawing = asyncio.create_task(draw(engine, range(4)))
        await server.hanging.wait()
        assert not server.left_early.is_set()
        drawing.cancel()
        await asyncio.wait_for(server.left_early.wait(), 30)
        with pytest.raises(asyncio.CancelledError):
            await drawing
        checked(await draw(engine, range(4)), range(4))


async def test_several_servers_are_used_evenly_and_stand_in_for_each_other() -> None:
    async with (
        ScriptedVllm() as one,
        ScriptedVllm() as two,
        ScriptedVllm() as three,
        opened(one.url, two.url, three.url) as engine,
    ):
        checked(await draw(engine, range(90)), range(90))
        drawn = [sum(body["n"] for body in server.requests) for server in (one, two, three)]
        assert drawn == [30, 30, 30]
        await two.stop()
        checked(await draw(engine, range(60)), range(60))


async def test_servers_that_run_different_models_are_refused() -> None:
    async with ScriptedVllm() as one, ScriptedVllm(Script(models=("other",))) as two:
        with pytest.raises(EngineError, match="do not run the same"):
            async with opened(one.url, two.url):
                pass


async def test_the_key_is_sent_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    caplog.set_level(1)
    async with ScriptedVllm(Script(key=KEY)) as server:
        async with opened(server.url, api_key_env="MY_KEY") as engine:
            checked(await draw(engine, range(3)), range(3))
            assert KEY not in repr(vars(engine))
            assert KEY not in repr(engine)
        monkeypatch.setenv("MY_KEY", "another")
        with pytest.raises(EngineError, match="refuses the key") as caught:
            async with opened(server.url, api_key_env="MY_KEY"):
                pass
        assert "another" not in str(caught.value)
        with pytest.raises(EngineError, match="wants a key") as caught:
            async with opened(server.url):
                pass
        assert "api_key_env" in caught.value.hint
    assert KEY not in caplog.text


async def test_a_key_that_is_not_in_the_environment_is_missed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(SettingsError, match="MY_KEY is not set"):
        async with opened("http://127.0.0.1:9", api_key_env="MY_KEY"):
            pass


async def test_a_server_that_repeats_the_key_does_not_make_us_show_it() -> None:
    server = vllm_http.Server("http://host", KEY)
    said = server.refusal(400, f"bad request with {KEY}\x1b[31m\n" + "x" * 9999)
    await server.close()
    assert KEY not in str(said)
    assert "\x1b" not in str(said)
    assert len(str(said)) < 1000


@pytest.mark.parametrize(
    ("script", "source", "says"),
    [
        (Script(models=("a", "b")), "", "serves several models"),
        (Script(models=("a", "b")), "c", "does not serve 'c'"),
        (Script(processed=True), NAME, "processed log-probabilities"),
    ],
    ids=["several models", "wrong name", "processed"],
)
async def test_what_is_not_as_asked_is_named(script: Script, source: str, says: str) -> None:
    async with ScriptedVllm(script) as server:
        config = EngineConfig(source, engine="vllm", urls=(server.url,))
        with pytest.raises(EngineError, match=says) as caught:
            await open_engine(config)
        assert caught.value.hint
        assert server.url in caught.value.detail


async def test_a_context_that_the_server_does_not_have_is_refused() -> None:
    async with ScriptedVllm() as server:
        with pytest.raises(EngineError, match="context is too small"):
            async with opened(server.url, context=CONTEXT + 1):
                pass
        async with opened(server.url, context=100) as engine:
            assert engine.info.context == 100
            items = await draw(engine, range(3), max_tokens=1000)
            checked(items, range(3), limit=100 - len(PROMPT))


async def test_text_without_token_ids_is_refused() -> None:
    async with ScriptedVllm(Script(deque(["no ids"]))) as server, opened(server.url) as engine:
        with pytest.raises(EngineError, match="does not give token ids"):
            await draw(engine, [0])


async def test_a_limit_that_the_server_has_by_itself_is_noticed() -> None:
    async with ScriptedVllm(Script(most_tokens=3)) as server, opened(server.url) as engine:
        with pytest.raises(EngineError, match="cuts completions short") as caught:
            await draw(engine, range(4))
        assert "--generation-config vllm" in caught.value.hint


async def test_what_is_no_vllm_server_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(EngineError, match="not a vLLM server"):
        async with opened(f"http://127.0.0.1:{port}"):
            pass
    server.close()


async def test_stop_strings_are_cut_as_the_contract_says() -> None:
    async with ScriptedVllm() as server, opened(server.url) as engine:
        (whole,) = [i for i in await draw(engine, [1]) if isinstance(i, Sampled)]
        stop = whole.text[3:5]
        (cut,) = [i for i in await draw(engine, [1], stop=(stop,)) if isinstance(i, Sampled)]
        assert server.requests[-1]["stop"] == [stop]
        assert cut.text == whole.text[: whole.text.index(stop)]
        assert cut.finish.value == "stop"
        count = len(cut.tokens)
        assert cut.tokens.ids.tolist() == whole.tokens.ids.tolist()[:count]
        assert cut.tokens.ends[-1] == len(cut.text.encode())


async def test_scores_are_of_the_response_alone() -> None:
    script = Script(impossible=9, misplaced=2)  # two garbled answers are asked for again
    async with ScriptedVllm(script) as server, opened(server.url) as engine:
        job = ScoreJob(PROMPT, ((7, 9, 120), (), (3,)), top=2)
        found = {item.position: item.scores async for item in engine.score(job)}
        assert sorted(found) == [0, 1, 2]
        np.testing.assert_allclose(found[0].logprobs, [-0.07, -np.inf, -1.2], rtol=1e-6)
        assert found[0].ranks.tolist() == [8, 10, 121]
        assert found[0].top_ids.tolist() == [[0, 1]] * 3
        assert found[0].top_texts == [["\x00", "\x01"]] * 3
        assert np.isnan(found[0].entropies).all()
        assert len(found[1].logprobs) == 0
        assert len(server.requests) == 4


async def test_a_response_that_fills_the_context_is_scored_to_its_last_token() -> None:
    async with ScriptedVllm() as server, opened(server.url) as engine:
        response = (5,) * (CONTEXT - len(PROMPT))
        (item,) = [one async for one in engine.score(ScoreJob(PROMPT, (response,), top=1))]
        assert len(item.scores.logprobs) == len(response)
        assert item.scores.logprobs[-1] == np.float32(-2.5)
        assert item.scores.ranks[-1] == 2
        assert len(server.requests[-1]["prompt"]) == CONTEXT - 1


async def test_more_alternatives_than_the_server_gives_name_the_flag() -> None:
    async with ScriptedVllm() as server, opened(server.url) as engine:
        with pytest.raises(EngineError, match="fewer alternatives") as caught:
            _ = [one async for one in engine.score(ScoreJob(PROMPT, ((5,),), top=21))]
        assert "--max-logprobs" in caught.value.hint


async def test_alternatives_that_only_tighten_bounds_are_forgone() -> None:
    """A sampler was named, so 20 are asked for; this server gives no more than 12."""
    job = ScoreJob(PROMPT, ((5,), (6, 7), (5,)), top=10, sampling=CUT)
    async with ScriptedVllm(Script(max_logprobs=12)) as server, opened(server.url) as engine:
        found = [one async for one in engine.score(job)]
        assert sorted(one.position for one in found) == [0, 1, 2]
        assert {one.scores.top_ids.shape[1] for one in found} == {10}
        assert [one.truncation for one in found] == [None] * 3
    async with ScriptedVllm() as server, opened(server.url) as engine:
        (one,) = [one async for one in engine.score(ScoreJob(PROMPT, ((5,),), sampling=CUT))]
        assert one.scores.top_ids.shape == (1, 20)


async def test_a_model_without_a_chat_template_says_so() -> None:
    async with ScriptedVllm() as server, opened(server.url) as engine:
        with pytest.raises(EngineError, match="chat template"):
            await engine.encode([Message("user", "hello")])


async def test_what_cannot_be_known_is_not_guessed() -> None:
    async with ScriptedVllm() as server, opened(server.url) as engine:
        info = engine.info
        assert info.checkpoint == f"served:{NAME}"
        assert info.dtype == "unknown"
        assert info.tokenizer.startswith("seen:")
        assert info.version == "0.0.scripted"
    async with ScriptedVllm() as server, opened(server.url, dtype="bfloat16") as engine:
        assert engine.info.dtype == "bfloat16"
