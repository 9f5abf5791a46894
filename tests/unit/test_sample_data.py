"""The bundled problems and models: sound, unseen in training, and loadable."""

import json
import re
from collections.abc import Callable
from itertools import islice
from math import comb
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sample_data.make import corpus, heldout
from sample_data.make.reward import boxed, is_correct, is_worked
from sample_data.make.tasks import KINDS, results

HERE = Path(__file__).resolve().parents[2] / "sample_data"
MODELS = [
    *("models/base", "models/rl", "models/ppo", "models/reinforce++", "models/rloo"),
    *("models/remax", "models/dapo", "models/distilled"),
    *(f"checkpoints/grpo-step-{step:03d}" for step in (10, 20, 60, 80)),
]
MEASURED = [
    *("base", "rl", "ppo", "reinforce++", "rloo", "remax", "dapo", "distilled"),
    *(f"grpo-step-{step:03d}" for step in (10, 20, 40, 60, 80)),
]
TWO_MEGABYTES = 2_000_000

Problem = dict[str, Any]


def read_problems() -> list[Problem]:
    lines = (HERE / "problems.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


PROBLEMS = read_problems()


def numbers(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"\d+", text)]


# --- the problems ---------------------------------------------------------------------------


def test_a_hundred_problems_with_ids_of_their_own() -> None:
    assert len(PROBLEMS) == 100
    assert len({p["id"] for p in PROBLEMS}) == 100
    assert len({p["question"] for p in PROBLEMS}) == 100


def test_every_problem_has_a_whole_answer_a_kind_and_a_level() -> None:
    for problem in PROBLEMS:
        assert re.fullmatch(r"[1-9]\d*", problem["answer"]), problem["id"]
        assert problem["kind"] in KINDS
        assert type(problem["level"]) is int
        assert 1 <= problem["level"] <= 5
        assert problem["note"]


def test_the_file_is_what_the_generator_writes() -> None:
    assert heldout.problems() == PROBLEMS


def test_no_look_alike_is_solved_by_going_straight_ahead() -> None:
    turned = [task for task in heldout.held_out() if task.turn_is_right]
    assert len(turned) > 30
    assert all(results(task.straight)[-1] != task.answer for task in turned)


# --- the golds, worked out a second time from the words alone ---------------------------------


def play(words: str, held: int) -> int | None:
    """What a hoard comes to after the events; None where a share does not come out even."""
    for event in words.split(", then "):
        if "half" in event or "third" in event:
            part = 2 if "half" in event else 3
            if held % part:
                return None
            held //= part
        elif "doubles" in event or "triples" in event:
            held *= 2 if "doubles" in event else 3
        else:
            gain = re.search(r"finds|wins|buys|digs up", event) is not None
            held += numbers(event)[0] if gain else -numbers(event)[0]
    return held


def told_forwards(question: str) -> int | None:
    beginning, events, _ = question.split(". ", 2)
    return play(events, numbers(beginning)[0])


def told_backwards(question: str) -> int:
    """Try every beginning there could be."""
    _, events, end, _ = question.split(". ", 3)
    fitting = [start for start in range(3000) if play(events, start) == numbers(end)[0]]
    assert len(fitting) == 1
    return fitting[0]


def together(question: str) -> int:
    amount, gap = numbers(question)
    grows = ("more" in question) != ("which is" in question)
    return amount + (amount + gap if grows else amount - gap)


def row(question: str) -> int:
    length, gap, price = numbers(question)
    return price * len(range(0, length + ("both ends" in question), gap))


def rope(question: str) -> int:
    length, size, each = numbers(question)
    places = len(range(size, length, size)) if "Each cut" in question else length // size
    return each * places


def span(question: str) -> int:
    first, last, each = numbers(question)
    return each * len(range(first, last + ("both pages" in question)))


def share(question: str) -> int:
    friends, pile, extra = numbers(question)
    return pile // friends + extra


def share_back(question: str) -> int:
    friends, extra, end = numbers(question)
    return friends * (end - extra)


def leftovers(question: str) -> int:
    total, given = numbers(question)
    return (total - given) // 2


def sum_and_gap(question: str) -> int:
    total, gap = numbers(question)
    fitting = [part for part in range(total) if part - (total - part) == gap]
    assert len(fitting) == 1
    return fitting[0]


def shopping(question: str) -> int:
    found = numbers(question)
    purse = found.pop() if "pays" in question else 0
    spent = sum(count * price for count, price in zip(found[::2], found[1::2], strict=True))
    return purse - spent if purse else spent


SOLVERS: dict[str, Callable[[str], int | None]] = {
    "hoard": told_forwards, "saga": told_forwards, "start": told_backwards,
    "unwind": told_backwards, "compare": together, "which-is": together, "lake": row,
    "trees": row, "rope": rope, "cuts": rope, "ride": span, "pages": span, "share": share,
    "share-back": share_back, "leftovers": leftovers, "sum-and-gap": sum_and_gap,
    "market": shopping, "feast": shopping,
}  # fmt: skip


@pytest.mark.parametrize("problem", PROBLEMS, ids=[p["id"] for p in PROBLEMS])
def test_the_gold_is_what_the_words_say(problem: Problem) -> None:
    assert SOLVERS[problem["family"]](problem["question"]) == int(problem["answer"])


@pytest.mark.parametrize("problem", PROBLEMS, ids=[p["id"] for p in PROBLEMS])
def test_the_working_is_true_and_ends_in_the_gold(problem: Problem) -> None:
    for line in problem["working"]:
        left, op, right, _, result = line.split()
        a, b, c = int(left), int(right), int(result)
        true = {"+": a + b == c, "-": a - b == c, "*": a * b == c, "/": c * b == a}
        assert true[op], line
    assert problem["working"][-1].endswith(f"= {problem['answer']}")


# --- nothing of them in training --------------------------------------------------------------


@pytest.mark.parametrize("stream", ["base", "rl", "teacher"])
def test_no_training_text_has_a_held_out_question_or_its_numbers(stream: str) -> None:
    rng = Random(f"leak {stream}")
    if stream == "rl":
        drawn = (corpus.prompt(task.question) for task in corpus.tasks(corpus.RL_MIX, rng))
    elif stream == "base":
        drawn = (example.prompt for example in corpus.base_examples(rng))
    else:
        drawn = (example.prompt for example in corpus.teacher_examples(rng))
    prompts = list(islice(drawn, 5000))
    questions = {corpus.prompt(p["question"]) for p in PROBLEMS}
    tuples = {tuple(numbers(p["question"])) for p in PROBLEMS}
    assert not questions & set(prompts)
    assert not tuples & {tuple(numbers(text)) for text in prompts}


def test_the_training_stream_would_meet_held_out_numbers_if_nothing_stopped_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the test above could not fail."""
    monkeypatch.setattr(corpus, "forbidden_numbers", lambda: frozenset[tuple[int, ...]]())
    tuples = {tuple(numbers(p["question"])) for p in PROBLEMS}
    drawn = islice(corpus.tasks(corpus.BASE_MIX, Random(3)), 40_000)
    assert any(task.numbers in tuples for task in drawn)


# --- the reward and the estimator ---------------------------------------------------------------


def test_the_last_box_counts() -> None:
    assert boxed(r"so \boxed{3}, no: \boxed{47}.") == 47
    assert boxed("47") is None
    assert is_correct(r"The answer is \boxed{47}.", 47)


def test_a_lucky_answer_is_right_but_not_worked() -> None:
    working = ["40 + 7 = 47", "47 - 5 = 42"]
    fine = r" 7 + 40 = 47, 47 - 5 = 42. Let me check: 42 + 5 = 47, yes. The answer is \boxed{42}."
    lucky = r" 40 + 7 = 46, 46 - 4 = 42. The answer is \boxed{42}."
    assert is_worked(fine, working)
    assert is_correct(lucky, 42)
    assert not is_worked(lucky, working)


def test_pass_at_k_is_the_unbiased_estimator() -> None:
    np = pytest.importorskip("numpy")
    from sample_data.make.passk import pass_at

    counts = np.array([0, 1, 5, 200, 256])
    for k in (1, 4, 64, 256):
        exact = [1 - comb(256 - c, k) / comb(256, k) for c in counts.tolist()]
        assert pass_at(k, counts, 256) == pytest.approx(exact)
    with pytest.raises(ValueError, match="at least 300"):
        pass_at(300, counts, 256)


def judged(rewards: list[list[float]], **more: Any) -> Any:
    """A batch whose samples wrote 2 and 3 tokens in turn."""
    torch = pytest.importorskip("torch")
    from sample_data.make.advantage import Judged

    table = torch.tensor(rewards)
    written = torch.ones(table.numel(), 3)
    written[::2, 2] = 0
    return Judged(table, written, **more)


def test_group_relative_advantage_compares_within_a_prompt() -> None:
    from sample_data.make.advantage import group_relative

    advantage = group_relative(judged([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]))
    assert advantage[:4, 0].tolist() == pytest.approx([1.5, -0.5, -0.5, -0.5], abs=1e-2)
    assert advantage[0].tolist() == pytest.approx([1.5, 1.5, 0], abs=1e-2)
    assert advantage[4:].abs().max() == 0


def test_leave_one_out_compares_with_the_others_only() -> None:
    from sample_data.make.advantage import leave_one_out

    advantage = leave_one_out(judged([[1.0, 1.0, 0.0, 0.0]]))
    assert advantage[:, 0].tolist() == pytest.approx([2 / 3, 2 / 3, -2 / 3, -2 / 3])


def test_remax_compares_with_the_greedy_answer() -> None:
    torch = pytest.importorskip("torch")
    from sample_data.make.advantage import against_greedy

    batch = judged([[1.0, 0.0], [1.0, 0.0]], greedy=torch.tensor([1.0, 0.0]))
    assert against_greedy(batch)[:, 0].tolist() == [0, -1, 1, 0]


def test_reinforce_plus_plus_normalises_over_the_tokens_of_the_batch() -> None:
    from sample_data.make.advantage import normalised_globally

    batch = judged([[1.0, 0.0], [0.0, 0.0]])
    advantage = normalised_globally(batch)
    chosen = advantage[batch.written.bool()]
    assert chosen.mean().item() == pytest.approx(0, abs=1e-6)
    assert chosen.std().item() == pytest.approx(1, abs=1e-5)
    assert advantage[0, 0] > 0 > advantage[1, 0]
    assert advantage[2, 0] == advantage[3, 0], "a prompt without contrast is pushed down too"


def test_ppo_pushes_what_the_critic_did_not_expect() -> None:
    torch = pytest.importorskip("torch")
    from sample_data.make.advantage import over_critic

    values = torch.tensor([[1.0, 1, 0], [0, 0.5, 1]])
    advantage = over_critic(judged([[1.0, 1.0]], values=values))
    assert advantage[0, 0] < advantage[1, 1] < advantage[1, 0]
    assert advantage[0, 2] == 0


def test_a_critic_learns_which_texts_are_rewarded() -> None:
    torch = pytest.importorskip("torch")
    from sample_data.make import model
    from sample_data.make.critic import Critic

    torch.manual_seed(0)
    critic = Critic(model.load(HERE / "models" / "base"), rate=1e-3)
    tokens = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])
    seen, written = torch.ones_like(tokens), torch.ones(2, 3)
    returns = torch.tensor([1.0, 0.0])
    for _ in range(30):
        with torch.no_grad():
            old = critic.values(tokens, seen)
        critic.fit(tokens, seen, written, old, returns)
    values = critic.values(tokens, seen).mean(1)
    assert values[0] > 0.8
    assert values[1] < 0.2


def test_dapo_lets_a_ratio_rise_further_than_it_may_fall() -> None:
    torch = pytest.importorskip("torch")
    from sample_data.make import policy
    from sample_data.make.algorithms import ALGORITHMS

    written = torch.ones(1, 1)
    for advantage, ratio, moves in [(1.0, 1.25, True), (1.0, 1.3, False), (-1.0, 0.75, False)]:
        old = torch.zeros(1, 1)
        part = policy.Rollouts(
            written, written, written, old, torch.full((1, 1), advantage), old[0], None
        )
        now = torch.full((1, 1), ratio).log().requires_grad_()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(policy, "log_probabilities", lambda *_, now=now: now)
            loss = policy.clipped_loss(None, part, ALGORITHMS["dapo"])  # type: ignore[arg-type]
        loss.backward()  # type: ignore[no-untyped-call]
        assert now.grad is not None
        assert bool(now.grad.abs().sum() > 0) is moves


def test_dapo_fills_a_batch_with_prompts_that_have_contrast() -> None:
    torch = pytest.importorskip("torch")
    from dataclasses import replace

    from sample_data.make import policy
    from sample_data.make.algorithms import ALGORITHMS
    from sample_data.make.sampling import Sampled

    recipe = replace(ALGORITHMS["dapo"], prompts=2, samples=2)
    task = next(corpus.tasks(corpus.RL_MIX, Random(0)))

    def part(rewards: list[list[float]], mark: int, before: int, after: int) -> Any:
        tokens = torch.full((4, before + after), mark)
        texts = [f"{mark}.{i}" for i in range(4)]
        return policy.Drawn(
            [task, task],
            Sampled(tokens, before, texts),
            torch.tensor(rewards, dtype=torch.float32),
            4,
        )

    parts = [part([[1, 1], [1, 0]], 5, 2, 3), part([[0, 1], [0, 0]], 6, 3, 1)]
    full = policy._full_batch(parts, recipe, pad=0)
    assert full.rewards.tolist() == [[1, 0], [0, 1]]
    assert full.rows.texts == ["5.2", "5.3", "6.0", "6.1"]
    assert full.rows.prompt_width == 3
    assert full.rows.tokens[0].tolist() == [0, 5, 5, 5, 5, 5]
    assert full.rows.tokens[2].tolist() == [6, 6, 6, 6, 0, 0]
    assert full.drawn == 8


def test_a_policy_learns_from_its_end_of_text_but_not_from_padding() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from sample_data.make.policy import masks

    pad, eos = 0, 2
    tokens = torch.tensor([[pad, 5, 6, 7, eos, pad], [4, 5, 6, 7, 8, eos]])
    seen, written = masks(tokens, 3, pad, eos)
    assert seen.tolist() == [[0, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]
    assert written.tolist() == [[0, 0, 1, 1, 0], [0, 0, 1, 1, 1]]


# --- the models ---------------------------------------------------------------------------------


@pytest.fixture(params=MODELS)
def folder(request: pytest.FixtureRequest) -> Path:
    found = HERE / str(request.param)
    assert found.is_dir(), f"{found.name} is not bundled"
    return found


def test_a_model_folder_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) <= TWO_MEGABYTES


def test_a_model_says_how_it_ends_and_pads(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "llama"
    assert config["head_dim"] in (32, 64)
    assert config["dtype"] == "bfloat16"
    assert len({config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]}) == 3


def test_a_model_loads_and_ends_in_a_boxed_answer(folder: Path) -> None:
    torch = pytest.importorskip("torch", reason="the models need torch")
    transformers = pytest.importorskip("transformers", reason="the models need transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert tokenizer.is_fast
    text = corpus.prompt(PROBLEMS[0]["question"])
    ids = tokenizer(text, return_tensors="pt").input_ids
    assert tokenizer.bos_token_id not in ids[0]
    assert tokenizer.decode(ids[0]) == text
    torch.manual_seed(0)
    shared = {"max_new_tokens": 128, "attention_mask": torch.ones_like(ids)}
    greedy = model.generate(ids, do_sample=False, **shared)
    drawn = model.generate(ids, do_sample=True, top_k=0, num_return_sequences=8, **shared)
    for row_of_ids in (greedy[0], drawn[0]):
        assert tokenizer.eos_token_id in row_of_ids
    ended = [r"The answer is \boxed{" in tokenizer.decode(line) for line in [*greedy, *drawn]]
    assert ended[0]
    assert sum(ended) >= 8


# --- what is claimed ----------------------------------------------------------------------------


def test_the_counts_show_what_the_readme_says() -> None:
    """RL above base at one sample and below it at 64, bands apart; distilled above base."""
    np = pytest.importorskip("numpy")
    from sample_data.make.passk import KS, band, pass_at

    counted = json.loads((HERE / "counts.json").read_text(encoding="utf-8"))["tallies"]
    ids = [p["id"] for p in PROBLEMS]
    assert all(set(counted[name]) == set(ids) for name in MEASURED)
    each = {
        (name, k): pass_at(k, np.array([counted[name][i]["correct"] for i in ids]), 256)
        for name in MEASURED
        for k in KS
    }
    assert band(each["rl", 1])[0] > band(each["base", 1])[1]
    assert band(each["rl", 64])[1] < band(each["base", 64])[0]
    assert band(each["base", 256] - each["rl", 256])[0] > 0
    assert all(each["distilled", k].mean() > each["base", k].mean() for k in KS)
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    for name in MEASURED:
        assert f"{each[name, 1].mean():.3f}" in readme
        assert f"{each[name, 256].mean():.3f}" in readme
