"""Alternatives are the same whether read one by one, in any order, or all at once."""

from __future__ import annotations

import random

import pytest

from explorer.store.alternatives import StoredAlternatives
from explorer.store.blobs import pack_texts

HOSTILE = ["],[", '"],["', "\\", '\\"', "]]", "[[", "", " ", ",", "\x1b[2J", "中", "\n", "😀"]


def rows(n: int, seed: int = 0) -> list[list[str]]:
    generator = random.Random(seed)
    return [generator.choices(HOSTILE, k=generator.randint(0, 5)) for _ in range(n)]


@pytest.mark.parametrize("seed", range(5))
def test_any_token_can_be_asked_first(seed: int) -> None:
    texts = rows(60, seed)
    order = list(range(60))
    random.Random(seed).shuffle(order)
    stored = StoredAlternatives(pack_texts(texts))
    assert [stored[token] for token in order] == [texts[token] for token in order]


def test_it_is_a_list_of_lists_to_whoever_asks() -> None:
    texts = rows(9)
    stored = StoredAlternatives(pack_texts(texts))
    assert stored
    assert stored == texts
    assert len(stored) == 9
    assert list(stored) == texts
    assert stored[-1] == texts[-1]
    assert stored[2:5] == texts[2:5]
    assert pack_texts(stored) == pack_texts(texts)
    for beyond in (9, -10, 10_000):
        with pytest.raises(IndexError):
            stored[beyond]


def test_no_alternatives() -> None:
    stored = StoredAlternatives(pack_texts([]))
    assert not stored
    assert len(stored) == 0
    assert stored == []
    with pytest.raises(IndexError):
        stored[0]
