"""Where a prompt shows its images, and that they belong to its identity."""

from __future__ import annotations

import pytest

from explorer.core.arm import prompt_digest
from explorer.core.problem import Problem
from explorer.core.prompts import (
    IMAGE_SLOT,
    PLAIN,
    Message,
    PromptImage,
    RenderedPrompt,
    Template,
    place_images,
)

S = IMAGE_SLOT


@pytest.mark.parametrize(
    ("text", "images", "placed", "order"),
    [
        ("How many?", "a", f"{S}\nHow many?", "a"),
        ("How many?", "ab", f"{S}{S}\nHow many?", "ab"),
        ("See <image1>.", "a", f"See {S}.", "a"),
        ("See <image 1>.", "a", f"See {S}.", "a"),
        ("<image> and <image>", "ab", f"{S} and {S}", "ab"),
        ("<image2> then <image1>", "ab", f"{S} then {S}", "ba"),
        ("<image1>, and in <image1>?", "a", f"{S}, and in image 1?", "a"),
        ("only <image2>", "abc", f"{S}{S}\nonly {S}", "acb"),
        ("a mark <image7> too many", "a", f"{S}\na mark <image7> too many", "a"),
        (f"forged {S}", "a", f"{S}\nforged \ufffd", "a"),
        ("<image0>", "a", f"{S}\n<image0>", "a"),
    ],
)
def test_an_image_stands_where_its_mark_is_or_first(
    text: str, images: str, placed: str, order: str
) -> None:
    shown = place_images(text, tuple(images))
    assert shown == (placed, tuple(order))
    assert shown[0].count(S) == len(images)


def test_a_template_fills_in_the_images() -> None:
    problem = Problem("d", "n", "See <image1>", "3", images=("/a.png",))
    chat = Template("t", "{question}?", chat=True, system="Be brief.", prefill="So")
    assert chat.fill(problem) == [
        Message("system", "Be brief."),
        Message("user", f"See {S}?", ("/a.png",)),
        Message("assistant", "So"),
    ]
    plain = Template("t", "Q: {question}")
    assert plain.fill(problem) == [Message(PLAIN, f"Q: See {S}", ("/a.png",))]


def test_without_images_nothing_is_placed() -> None:
    problem = Problem("d", "n", "See <image1>", "3")
    assert Template("t", "{question}").fill(problem) == "See <image1>"


def test_the_digest_covers_what_the_images_hold_and_not_where_they_lie() -> None:
    def prompt(path: str, digest: str) -> RenderedPrompt:
        return RenderedPrompt("text", (1, 2), (PromptImage(path, digest),))

    assert prompt("/a", "i1:x").digest == prompt("/b", "i1:x").digest
    assert prompt("/a", "i1:x").digest != prompt("/a", "i1:y").digest
    assert prompt("/a", "i1:x").digest.startswith("p2:")
    two = [PromptImage("/a", "i1:x"), PromptImage("/b", "i1:y")]
    one_way, other_way = (RenderedPrompt("t", (1,), tuple(way)) for way in (two, two[::-1]))
    assert one_way.digest != other_way.digest


def test_a_prompt_of_text_keeps_the_digest_that_it_always_had() -> None:
    assert RenderedPrompt("text", (1, 2, 3)).digest == prompt_digest((1, 2, 3))
    assert prompt_digest((1, 2, 3)) == "p1:0a7f859a17a51c40b5c13dff19b52d09a4e86014"
