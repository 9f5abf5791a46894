"""The second writing of the family's network, which counts what the tests hold for true."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'local' is not installed")

from sample_data.make import model, tokenizer, truth  # noqa: E402
from sample_data.make.corpus import prompt  # noqa: E402
from sample_data.make.crowd import Crowd, nucleus  # noqa: E402
from sample_data.make.heldout import problems  # noqa: E402

BASE = Path(__file__).resolve().parents[2] / "sample_data" / "models" / "base"
QUESTION = prompt(problems()[1]["question"])
ROWS, LONGEST = 64, 60


@pytest.fixture(scope="module")
def network() -> Any:
    return model.load(BASE)


@pytest.fixture(scope="module")
def words() -> Any:
    return tokenizer.load(BASE)


def up_to_end(row: list[int], end: int) -> list[int]:
    return row[: row.index(end) + 1] if end in row else row


def test_what_it_holds_most_likely_is_what_transformers_does(network: Any, words: Any) -> None:
    ids = words(QUESTION).input_ids
    greedy = Crowd(network).draw(ids, 3, LONGEST, seed=1, top_p=1e-9)
    told = network.generate(
        torch.tensor([ids]), do_sample=False, max_new_tokens=LONGEST, pad_token_id=0
    )[0, len(ids) :].tolist()
    assert words.eos_token_id in told
    for row in greedy.tolist():
        assert up_to_end(row, words.eos_token_id) == told


def test_rows_are_drawn_from_their_own_distribution_also_after_others_left(
    network: Any, words: Any
) -> None:
    """Over all tokens, log p less its expectation adds up to noise of known variance."""
    ids = words(QUESTION).input_ids
    rows = Crowd(network).draw(ids, ROWS, LONGEST, seed=2)
    ends = [len(up_to_end(row, words.eos_token_id)) for row in rows.tolist()]
    assert len(set(ends)) > 5, "rows end at different times"
    surplus = variance = 0.0
    with torch.no_grad():
        for row, length in zip(rows.tolist(), ends, strict=True):
            logits = network(torch.tensor([ids + row[: length - 1]])).logits[0, len(ids) - 1 :]
            logs = logits.double().log_softmax(-1)
            mean = (logs.exp() * logs).sum(-1)
            variance += float(((logs.exp() * logs**2).sum(-1) - mean**2).sum())
            surplus += float(
                (logs.gather(1, torch.tensor(row[:length])[:, None])[:, 0] - mean).sum()
            )
    assert abs(surplus) / variance**0.5 < 3


def test_the_nucleus_is_the_fewest_tokens_that_hold_enough() -> None:
    chances = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.97, 0.01, 0.01, 0.01]])
    kept = nucleus(chances, 0.7)
    assert (kept > 0).tolist() == [[False, True, False, True], [True, False, False, False]]
    assert nucleus(chances, 1.0) is chances


def test_different_rows_are_counted_as_a_dictionary_counts_them() -> None:
    rows = torch.randint(0, 3, (500, 4), generator=torch.Generator().manual_seed(1)).short()
    ids, counts = truth.different(rows)
    counted = {tuple(row): int(count) for row, count in zip(ids.tolist(), counts, strict=True)}
    assert counted == Counter(map(tuple, rows.tolist()))


def test_what_is_right_is_counted_as_often_as_it_was_drawn(words: Any) -> None:
    problem = problems()[1]
    end = words.eos_token_id
    texts = [f" The answer is \\boxed{{{problem['answer']}}}.", " The answer is \\boxed{1}."]
    drawn = [[*words(text).input_ids, end] for text in texts]
    width = max(map(len, drawn))
    ids = np.array([row + [end] * (width - len(row)) for row in drawn], dtype=np.int16)
    asked = {"second": drawn[1], "begun": drawn[1][:-3], "other": drawn[0][1:]}
    counted = truth.count(truth.Texts(BASE, problem, [], ids, np.array([5, 2]), asked))
    assert (counted["correct"], counted["worked"], counted["ended"]) == (5, 0, 7)
    assert counted["texts"] == {"second": 2, "begun": 0, "other": 0}
