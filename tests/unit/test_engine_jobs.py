"""Jobs inside the child: out of memory, slices, hostile checkpoints."""

# ruff: noqa: E402 (without the extra this file is skipped before it imports more)

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'local' is not installed")

from explorer.core.arm import Sampling
from explorer.engines import hf_scoring
from explorer.engines.base import EngineConfig, Sampled, SampleJob, ScoreJob
from explorer.engines.hf_loading import Loaded, load
from explorer.engines.hf_sampling import Sampler, StopStrings
from explorer.engines.hf_scoring import score
from explorer.errors import EngineError
from tests.contract.tiny_model import EOS, OTHER_EOS, make_tiny_model

PROMPT = (30, 40, 50, 60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Loaded:
    return load(EngineConfig(str(folder), device="cpu"))


def run(loaded: Loaded, count: int = 12, **sampling: Any) -> dict[int, Sampled]:
    done: dict[int, Sampled] = {}
    job = SampleJob(PROMPT, Sampling(**({"max_tokens": 40} | sampling)), 3, tuple(range(count)))

    def item(sampled: Sampled) -> None:
        assert sampled.index not in done
        done[sampled.index] = sampled

    Sampler(loaded, job, item, lambda changes: None, lambda: False).run()
    assert sorted(done) == list(range(count))
    return done


@pytest.fixture
def small_memory(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A device that runs out of memory with more than three rows, some steps into a batch."""
    seen: list[int] = []
    forward = loaded.model.forward

    def limited(*arguments: Any, **named: Any) -> Any:
        rows = named["input_ids"].shape[0]
        seen.append(rows)
        if rows > 3 and len(seen) % 7 == 0:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return forward(*arguments, **named)

    limited.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    monkeypatch.setattr(loaded.model, "forward", limited)
    return seen


def test_the_library_s_defaults_do_not_leak(loaded: Loaded) -> None:
    """The checkpoint asks for top_k = 1, a repetition penalty and three tokens at least."""
    done = run(loaded, 40)
    assert len({item.text for item in done.values()}) > 30
    assert loaded.info.eos_ids == (EOS, OTHER_EOS)
    flat = run(loaded, 1500, max_tokens=2, temperature=3.0)
    assert min(len(item.tokens) for item in flat.values()) == 1


def test_a_batch_limit_or_a_lack_of_memory_changes_no_completion(
    loaded: Loaded, folder: Path, small_memory: list[int]
) -> None:
    scarce = run(loaded)
    assert max(small_memory) > 3 >= small_memory[-1]
    free = load(EngineConfig(str(folder), device="cpu", batch_size=5))
    assert {i: item.text for i, item in run(free).items()} == {
        i: item.text for i, item in scarce.items()
    }


def test_not_even_one_row(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: Any, **named: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loaded.model, "generate", never)
    with pytest.raises(EngineError, match="Not even one completion fits") as caught:
        run(loaded)
    assert "44 tokens" in caught.value.detail
    assert "max_tokens" in caught.value.hint


def test_logits_that_are_no_numbers_are_an_error(folder: Path) -> None:
    broken = load(EngineConfig(str(folder), device="cpu"))
    with torch.no_grad():
        broken.model.get_output_embeddings().weight.fill_(float("nan"))
    with pytest.raises(EngineError, match="no numbers"):
        run(broken)


def test_scores_do_not_depend_on_slices_or_memory(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    responses = tuple(
        tuple(rng.integers(0, loaded.info.vocab_size, length).tolist())
        for length in (40, 3, 1, 200, 0, 41)
    )
    job = ScoreJob(PROMPT, responses, 3)
    whole = {s.position: s.scores for s in score(loaded, job, lambda: False)}
    monkeypatch.setitem(hf_scoring.LOGITS_AT_ONCE, "cpu", 7 * loaded.info.vocab_size)
    fine = {s.position: s.scores for s in score(loaded, job, lambda: False)}
    real, calls = hf_scoring.measure, iter(range(10_000))

    def short(*arguments: Any) -> Any:
        if arguments[0].shape[0] > 2 and next(calls) % 3 == 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(*arguments)

    monkeypatch.setattr(hf_scoring, "measure", short)
    scarce = {s.position: s.scores for s in score(loaded, job, lambda: False)}
    assert next(calls) > 2
    for found in (fine, scarce):
        assert sorted(found) == list(range(len(responses)))
        for position, scores in found.items():
            assert len(scores.logprobs) == len(responses[position])
            np.testing.assert_allclose(scores.logprobs, whole[position].logprobs, atol=1e-5)
            np.testing.assert_allclose(scores.entropies, whole[position].entropies, atol=1e-5)


def test_entropy_of_a_certain_position_is_zero() -> None:
    logits = torch.full((1, 1, 5), -torch.inf)
    logits[..., 2] = 1.0
    measured = hf_scoring.measure(logits, torch.tensor([[2]]), 2)
    assert measured.entropies.item() == 0.0
    assert measured.logprobs.item() == 0.0
    assert measured.ranks.item() == 1


def test_a_model_that_forgets_between_slices_is_refused(tmp_path: Path) -> None:
    """Mamba's layers begin anew at each slice: its scores would look like surprise."""
    from transformers import MambaConfig, MambaForCausalLM

    folder = make_tiny_model(tmp_path / "mamba")
    shape: dict[str, Any] = {
        "vocab_size": 350,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "state_size": 8,
    }
    model: Any = MambaForCausalLM(MambaConfig(**shape, eos_token_id=EOS))
    model.save_pretrained(folder)
    loaded = load(EngineConfig(str(folder), device="cpu"))
    assert len(run(loaded, 3)) == 3
    with pytest.raises(EngineError, match="cannot score"):
        list(score(loaded, ScoreJob(PROMPT, ((9, 8, 7),)), lambda: False))


def test_stop_strings_hold_back_what_may_become_one(loaded: Loaded) -> None:
    stops = StopStrings(("\n\nQuestion", "END"), loaded.text)
    assert stops.safe("The answer is 7\n\nQues") == "The answer is 7"
    assert stops.safe("The answer is 7 EN") == "The answer is 7 "
    assert stops.safe("The answer is 7") == "The answer is 7"
    assert stops.find("so END and \n\nQuestion") == 3
    assert stops.find("nothing here") == -1


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", "{not json", "cannot be loaded"),
        ("config.json", json.dumps({"model_type": "abacus"}), "cannot be loaded"),
        ("model.safetensors", "no weights", "cannot be loaded"),
        ("model.safetensors", None, "cannot be loaded"),
        ("tokenizer.json", "{", "tokenizer cannot be loaded"),
    ],
)
def test_broken_checkpoints_are_explained(
    tmp_path: Path, file: str, content: str | None, said: str
) -> None:
    folder = make_tiny_model(tmp_path / "broken")
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(EngineError, match=said) as caught:
        load(EngineConfig(str(folder), device="cpu"))
    assert str(folder) in caught.value.detail
    assert caught.value.hint


def test_a_context_beyond_the_model_is_refused(folder: Path) -> None:
    with pytest.raises(EngineError, match="shorter") as caught:
        load(EngineConfig(str(folder), device="cpu", context=4096))
    assert "512" in caught.value.detail
    assert load(EngineConfig(str(folder), device="cpu", context=64)).info.context == 64


def test_cuda_where_there_is_none(folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(EngineError, match="CUDA"):
        load(EngineConfig(str(folder), device="cuda"))
