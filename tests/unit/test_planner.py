"""Who is in memory with whom, on invented devices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from explorer.sampler.planner import (
    GIB,
    Device,
    Layout,
    Place,
    lay_out,
)
from explorer.sampler.room import SLEEPER_TAKES, fits_beside, make_room

QWEN_7B = {"weights": int(15.23e9), "per_token": 57_344, "context": 16_384}
QWEN_32B = {"weights": int(65.5e9), "per_token": 262_144, "context": 16_384}
H100 = Device(0, "H100", 80 * GIB)
CARD_48 = Device(0, "L40S", 48 * GIB)
CARD_24 = Device(0, "RTX 4090", 24 * GIB)


def place(name: str, size: dict[str, int] | None = None, **more: object) -> Place:
    known: dict[str, object] = {"weights": None} if size is None else dict(size)
    known |= more
    return Place(key=name, source=f"/m/{name}", models=(name,), **known)  # type: ignore[arg-type]


def three(size: dict[str, int], **more: object) -> list[Place]:
    return [place(name, size, **more) for name in ("base", "rl", "distilled")]


def steps(layout: Layout, wanted: str, awake: list[str], **more: object) -> list[tuple[str, str]]:
    keywords: dict[str, object] = {"asleep": [], "upcoming": [], "host_free": 1 << 40} | more
    found = make_room(layout, wanted, awake, **keywords)  # type: ignore[arg-type]
    return [(step.action, step.key) for step in found]


def test_three_7b_models_share_an_80_gib_device() -> None:
    layout = lay_out(three(QWEN_7B), [H100], None)
    assert set(layout.grants) == {"base", "rl", "distilled"}
    assert sum(grant.bytes for grant in layout.grants.values()) <= 0.85 * 80 * GIB
    assert sum(grant.share for grant in layout.grants.values()) <= 0.85
    # what is over after each has its weights is shared out, not left lying
    assert sum(grant.share for grant in layout.grants.values()) > 0.83
    for grant in layout.grants.values():
        assert grant.bytes > QWEN_7B["weights"] + QWEN_7B["per_token"] * 65_536
    assert steps(layout, "distilled", ["base", "rl"]) == []
    assert layout.why.startswith("in memory: base and rl and distilled together")


def test_7b_models_take_turns_on_a_24_gib_card() -> None:
    layout = lay_out(three(QWEN_7B), [CARD_24], None)
    assert {grant.share for grant in layout.grants.values()} == {0.85}
    assert steps(layout, "rl", ["base"]) == [("stop", "base")]
    assert layout.why.startswith("take turns: base (")


def test_models_that_fit_in_pairs_are_paired_in_file_order() -> None:
    small, big = place("base", QWEN_7B), place("rl", QWEN_7B)
    layout = lay_out([place("large", QWEN_32B, share=0.9), small, big], [H100], None)
    assert not fits_beside(layout, "large", ["base"])
    assert fits_beside(layout, "rl", ["base"])
    assert steps(layout, "large", ["base", "rl"]) == [("stop", "base"), ("stop", "rl")]


def test_a_model_that_cannot_fit_is_told_what_would() -> None:
    layout = lay_out([place("base", QWEN_32B)], [CARD_24], None)
    assert "base" not in layout.grants
    assert "61.0 GiB of weights" in layout.refused["base"]
    assert "tensor_parallel = 4" in layout.refused["base"]


def test_a_context_that_cannot_fit_is_told_which_would() -> None:
    long = QWEN_7B | {"context": 131_072}
    layout = lay_out([place("base", long)], [CARD_24], None)
    reason = layout.refused["base"]
    context = int(reason.partition("context = ")[2].split()[0])
    assert 16_384 < context < 131_072
    fits = lay_out([place("base", QWEN_7B | {"context": context})], [CARD_24], None)
    assert "base" in fits.grants
    too_long = QWEN_7B | {"context": context + 2048}
    assert "base" in lay_out([place("base", too_long)], [CARD_24], None).refused


def test_memory_by_hand_is_taken_as_it_is() -> None:
    by_hand = Device(0, "GPU", 80 * GIB, limit=24 * GIB)
    layout = lay_out(three(QWEN_7B), [by_hand], None)
    assert all(grant.bytes <= 24 * GIB for grant in layout.grants.values())
    # the flag is a share of the whole device, whatever part of it may be used
    assert {grant.share for grant in layout.grants.values()} == {0.3}
    assert steps(layout, "rl", ["base"]) == [("stop", "base")]


def test_a_size_by_hand_beats_what_the_files_say() -> None:
    fixed = [place(name, QWEN_7B, fixed=30 * GIB) for name in ("base", "rl", "distilled")]
    layout = lay_out(fixed, [H100], None)
    assert {grant.bytes for grant in layout.grants.values()} == {30 * GIB}
    assert fits_beside(layout, "rl", ["base"])
    assert not fits_beside(layout, "distilled", ["base", "rl"])
    refused = lay_out([place("base", QWEN_7B, fixed=90 * GIB)], [H100], None).refused
    assert "Lower `memory_gb`" in refused["base"]


def test_a_model_of_unknown_size_is_alone() -> None:
    layout = lay_out([place("base", QWEN_7B), place("hub"), place("rl", QWEN_7B)], [H100], None)
    assert layout.grants["hub"].share == 0.85
    assert not fits_beside(layout, "hub", ["base"])
    assert fits_beside(layout, "rl", ["base"])


def test_who_is_needed_last_makes_room_first() -> None:
    layout = lay_out(three(QWEN_7B), [CARD_48], None)
    assert fits_beside(layout, "rl", ["base"])
    longest_ago_first = ["base", "rl"]
    assert steps(layout, "distilled", longest_ago_first)[0] == ("stop", "base")
    upcoming = ["distilled", "base", "rl"]
    assert steps(layout, "distilled", longest_ago_first, upcoming=upcoming)[0] == ("stop", "rl")
    assert steps(layout, "distilled", longest_ago_first, upcoming=["base"])[0] == ("stop", "rl")


def test_sleep_where_it_can_and_the_machine_has_memory() -> None:
    layout = lay_out(three(QWEN_7B, sleeps=True), [CARD_24], None)
    assert steps(layout, "rl", ["base"]) == [("sleep", "base")]
    assert steps(layout, "rl", ["base"], host_free=20 * GIB) == [("stop", "base")]
    # sleepers hold a little of the device; when that is too much, the one used longest ago goes
    assert steps(layout, "distilled", ["rl"], asleep=["base"]) == [
        ("sleep", "rl"),
        ("stop", "base"),
    ]
    assert 0.85 * 24 * GIB + 2 * SLEEPER_TAKES > 0.97 * 24 * GIB


def test_says_why_one_is_stopped_rather_than_put_to_sleep() -> None:
    places = three(QWEN_7B, no_sleep="vLLM's CPU build has no sleep mode")
    layout = lay_out(places, [CARD_24], None)
    (step,) = make_room(layout, "rl", ["base"], [], [], 0)
    assert step.why == "rl needs its place; it cannot sleep: vLLM's CPU build has no sleep mode"


def test_devices_are_filled_evenly_and_named() -> None:
    gpus = [Device(index, "H100", 80 * GIB) for index in range(2)]
    layout = lay_out([place("base", QWEN_32B, share=0.95), place("rl", QWEN_32B, share=0.95)],
                     gpus, None)  # fmt: skip
    assert {grant.devices for grant in layout.grants.values()} == {(0,), (1,)}
    assert fits_beside(layout, "rl", ["base"])
    spread = lay_out([place("base", QWEN_32B, n_devices=2)], gpus, None).grants["base"]
    assert spread.devices == (0, 1)
    pinned = lay_out([place("base", QWEN_7B, pinned=1)], gpus, None).grants["base"]
    assert pinned.devices == (1,)
    refused = lay_out([place("base", QWEN_32B, n_devices=4)], gpus, None).refused["base"]
    assert "4 devices" in refused


def test_two_ways_to_run_a_checkpoint_take_turns() -> None:
    one = replace(place("short", QWEN_7B), source="/m/base")
    other = replace(place("long", QWEN_7B | {"context": 32_768}), source="/m/base")
    layout = lay_out([one, other], [H100], None)
    assert steps(layout, "long", ["short"]) == [("stop", "short")]


@pytest.mark.parametrize(("gb", "together"), [(16, True), (9, False)])
def test_cpu_servers_get_whole_gib_for_keys_and_values(gb: int, together: bool) -> None:
    tiny = {"weights": 3 << 20, "per_token": 4096, "context": 512}
    machine = Device(-1, "memory", 32 * GIB, limit=gb * GIB)
    layout = lay_out(three(tiny, on_cpu=True), [], machine)
    assert {grant.bytes for grant in layout.grants.values()} == {3 * GIB + (3 << 20)}
    assert fits_beside(layout, "distilled", ["base", "rl"]) == together


def test_an_engine_without_a_server_counts_too() -> None:
    engine = place("base", QWEN_7B, grows=False)
    layout = lay_out([engine, place("rl", QWEN_7B)], [CARD_24], None)
    assert steps(layout, "rl", ["base"]) == [("stop", "base")]
    layout = lay_out([engine, place("rl", QWEN_7B)], [H100], None)
    assert fits_beside(layout, "rl", ["base"])
