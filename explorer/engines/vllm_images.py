"""Images to a vLLM server, token by token: `/inference/v1/generate` takes ids and pictures.

The chat route takes pictures too, but only as turns of text, so the tokens of a completion that is
to be scored could not be named. Here the prompt's ids with one placeholder per image, the
response's ids and the pictures go in one request; the server puts its own number of tokens in
place of each image and says which. Invariant: what it says it saw is what the job named, or the
answer is refused. The pictures are sent as the pixels that every engine here is given.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from explorer.core.prompts import IMAGE_SLOT, PLAIN, Message, PromptImage, RenderedPrompt
from explorer.engines.base import SampleJob, ScoreJob
from explorer.engines.vllm_http import AttemptError, Server, Servers
from explorer.engines.vllm_sampling import Drawing
from explorer.engines.vllm_scoring import MOST_FOR_LAST, Row, Scoring, parse_row
from explorer.engines.vllm_stream import logprob, not_vllm
from explorer.engines.vllm_text import ServedText
from explorer.errors import EngineError
from explorer.pictures import PictureError, decode_picture, picture_digest, read_picture

GENERATE: Final = "/inference/v1/generate"

_OPEN_HINT: Final = "Start it with --enable-scale-out (vLLM 0.32 has it); a server of ours is."

_DOT: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAIAAAD9b0jDAAAAJ0lEQVR4nGNsaGhgoDZg"
    "orqJo4aOGjpq6Kiho4aOGjpq6Kihg9JQAP1uAbgMpB0oAAAAAElFTkSuQmCC"
)
"""A grey picture of 28 × 28 pixels, to see whether pictures are taken."""


@dataclass(frozen=True, slots=True)
class ShownPrompt:
    """A prompt as it is sent.

    Attributes:
        ids: with one placeholder per image.
        parts: the pictures, as the server takes them.
        expanded: the ids that the server is to make of it.
    """

    ids: tuple[int, ...]
    parts: tuple[dict[str, str], ...]
    expanded: tuple[int, ...]

    def body(self, model: str, more: Sequence[int], sampling: dict[str, Any]) -> dict[str, Any]:
        """A request for what follows the prompt and `more`."""
        return {
            "model": model,
            "token_ids": [*self.ids, *more],
            "content_parts": list(self.parts),
            "sampling_params": sampling,
            "return_token_ids": True,
        }

    def check(self, seen: Any, more: Sequence[int]) -> None:
        """Make sure that the server saw what was meant.

        Raises:
            EngineError: it makes other tokens of the prompt.
        """
        if seen != [*self.expanded, *more]:
            told = len(seen) if isinstance(seen, list) else "no"
            raise EngineError(
                "This model sees the prompt's images in other tokens",
                f"The server makes {told} ids of prompt and completion, not the"
                f" {len(self.expanded) + len(more)} that were stored, or others.",
                "Models of another family cannot score these completions.",
            )


async def takes_images(servers: Servers, model: str) -> bool:
    """Whether the servers' model takes pictures, and the route for them is open."""
    content = [{"type": "image_url", "image_url": {"url": _DOT}}]
    body = {"model": model, "messages": [{"role": "user", "content": content}]}
    try:
        ids = (await servers.ask("/tokenize", body))["tokens"]
        part = {"type": "image_url", "url": _DOT}
        sampling = {"max_tokens": 1, "temperature": 0}
        await servers.ask(
            GENERATE,
            {
                "model": model,
                "token_ids": ids,
                "content_parts": [part],
                "sampling_params": sampling,
            },
        )
    except (EngineError, AttemptError, KeyError, TypeError):
        return False
    return True


async def encode_shown(
    servers: Servers, text: ServedText, model: str, turns: Sequence[Message]
) -> RenderedPrompt:
    """Chat turns with their images, rendered by the server.

    Raises:
        EngineError: an image cannot be used, the model takes none, or the route is not open.
    """
    if len(turns) == 1 and turns[0].role == PLAIN:
        raise EngineError(
            "A plain prompt with images cannot be sent to a vLLM server",
            "Only its chat template says how an image is marked.",
            "Use a prompt template with chat = true.",
        )
    files = {path: _read(path) for turn in turns for path in turn.images}
    paths = [path for turn in turns for path in turn.images]
    parts = tuple(_part(path, files[path]) for path in paths)
    urls = {path: _part(path, data)["url"] for path, data in files.items()}
    ids = await text.tokenised(_chat_body(model, turns, urls))
    ids, seen = await _with_one_each(servers, ids, parts, model)
    images = tuple(PromptImage(path, picture_digest(files[path])) for path in paths)
    return RenderedPrompt(await text.detokenise(ids), tuple(seen), images)


async def _with_one_each(
    servers: Servers, ids: list[int], parts: tuple[dict[str, str], ...], model: str
) -> tuple[list[int], list[int]]:
    """A prompt's ids with one placeholder per image, and those that the server makes of them.

    `/tokenize` gives the second kind, and the route for ids would put every image in once more.

    Raises:
        EngineError: the server tells no consistent story.
    """
    seen, places = await _seen(servers, ShownPrompt(tuple(ids), parts, ()), model)
    short = _collapsed(ids, [seen[start : start + length] for start, length in places])
    if len(places) == len(parts) and short is not None:
        again, _ = await _seen(servers, ShownPrompt(tuple(short), parts, ()), model)
        if again == ids:
            _check_places(short, seen[places[0][0]], len(parts))
            return short, again
    if len(places) == len(parts) and len(seen) == len(ids) + sum(n - 1 for _, n in places):
        _check_places(ids, seen[places[0][0]], len(parts))
        return ids, seen  # it was given with one each
    raise EngineError(
        "The vLLM server does not say where the images stand in the prompt",
        f"/tokenize gives {len(ids)} ids, {GENERATE} sees {len(seen)} and {len(places)} images.",
        'Use engine = "transformers" for this model.',
    )


def _check_places(ids: Sequence[int], placeholder: int, images: int) -> None:
    if ids.count(placeholder) != images:
        raise EngineError(
            "The prompt does not show its images as this model wants them",
            f"It has {images} images and {ids.count(placeholder)} placeholders.",
            "Does the statement itself contain the model's mark for an image?",
        )


def _collapsed(ids: Sequence[int], images: Sequence[Sequence[int]]) -> list[int] | None:
    """The ids with the run of each image, in turn, cut to its first; None if one is not there."""
    kept: list[int] = []
    place = 0
    for image in images:
        while list(ids[place : place + len(image)]) != list(image):
            if place >= len(ids):
                return None
            kept.append(ids[place])
            place += 1
        kept.append(ids[place])
        place += len(image)
    return [*kept, *ids[place:]]


async def _seen(
    servers: Servers, shown: ShownPrompt, model: str
) -> tuple[list[int], list[tuple[int, int]]]:
    """The ids that the server makes of a prompt, and where and how long its images are in it."""
    body = shown.body(model, (), {"max_tokens": 1, "temperature": 0})
    try:
        answer = await servers.ask(GENERATE, body)
    except EngineError as error:
        hint = _OPEN_HINT if "scale-out" in f"{error.title} {error.detail}" else error.hint
        raise EngineError("The vLLM server does not take this picture", str(error), hint) from error
    try:
        seen = [int(one) for one in answer["prompt_token_ids"]]
        ranges = (answer.get("mm_placeholders") or {}).get("image") or []
        return seen, [(int(one["offset"]), int(one["length"])) for one in ranges]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EngineError(
            "The vLLM server does not say which tokens it saw", GENERATE, _OPEN_HINT
        ) from error


async def shown_prompt(text: ServedText, job: SampleJob | ScoreJob) -> ShownPrompt:
    """What is sent for a job with images.

    Raises:
        EngineError: an image changed or is gone.
    """
    parts = []
    for image in job.images:
        data = _read(image.path)
        if picture_digest(data) != image.digest:
            raise EngineError(
                "An image is not the one that the prompt was rendered with",
                f"The content of {image.path} has changed since.",
                "Put the old file back, or give the changed problem a new name.",
            )
        parts.append(_part(image.path, data))
    ids = await text.tokenise(job.prompt_text, False)
    return ShownPrompt(tuple(ids), tuple(parts), job.prompt_ids)


class ImageDrawing(Drawing):
    """Draws the completions of a prompt with images."""

    def show(self, prompt: ShownPrompt) -> None:
        self._prompt = prompt

    def _request(self, run: range) -> tuple[str, dict[str, Any]]:
        plain = {
            name: value
            for name, value in self._body.items()
            if name not in ("model", "prompt", "stream", "stream_interval", "return_token_ids")
        }
        sampling = plain | {"n": len(run), "seed": self._base + run.start}
        body = self._prompt.body(self._body["model"], (), sampling)
        return GENERATE, body | {"stream": True, "output_mode": "text"}

    def _saw(self, event: dict[str, Any]) -> None:
        if (seen := event.get("prompt_token_ids")) is not None:
            self._prompt.check(seen, ())


class ImageScoring(Scoring):
    """Scores the completions of a prompt with images."""

    def show(self, prompt: ShownPrompt) -> None:
        self._prompt = prompt

    async def _rows(self, server: Server, response: Sequence[int]) -> list[Row]:
        full = len(self._prompt.expanded) + len(response) >= self._context
        scored = response[:-1] if full else response
        rows = await self._shown_rows(server, scored) if scored else []
        return [*rows, await self._drawn(server, response)] if full else rows

    async def _shown_rows(self, server: Server, scored: Sequence[int]) -> list[Row]:
        sampling = {"max_tokens": 1, "temperature": 0, "prompt_logprobs": self._top}
        answer = await server.ask(GENERATE, self._prompt.body(self._model, scored, sampling))
        self._prompt.check(answer.get("prompt_token_ids"), scored)
        told = answer.get("prompt_logprobs")
        if not isinstance(told, list) or len(told) <= len(scored):
            raise not_vllm(server, "It gave no prompt_logprobs.")
        rows = [parse_row(row) for row in told[-len(scored) :]]
        if any(token not in row for row, token in zip(rows, scored, strict=True)):
            raise AttemptError("a row of prompt_logprobs is not about its token")
        return rows

    async def _drawn(self, server: Server, response: Sequence[int]) -> Row:
        """The row of a last token that fills the context: the server is made to draw it."""
        *before, last = response
        most = max(self._top, MOST_FOR_LAST)
        sampling = {"max_tokens": 1, "temperature": 0, "logprobs": most}
        body = self._prompt.body(self._model, before, sampling | {"allowed_token_ids": [last]})
        answer = await server.ask(GENERATE, body)
        self._prompt.check(answer.get("prompt_token_ids"), before)
        try:
            content = answer["choices"][0]["logprobs"]["content"][0]
            told = {one["token_id"]: one["logprob"] for one in [content, *content["top_logprobs"]]}
        except (KeyError, IndexError, TypeError) as error:
            raise not_vllm(server, "It gave no log-probability of the token it drew.") from error
        values = {token: logprob(value) for token, value in told.items()}
        order = sorted(values.values(), reverse=True)
        return {token: (value, 1 + order.index(value)) for token, value in values.items()}


def _chat_body(model: str, turns: Sequence[Message], urls: dict[str, str]) -> dict[str, Any]:
    prefilled = turns[-1].role == "assistant"
    return {
        "model": model,
        "messages": [{"role": turn.role, "content": _content(turn, urls)} for turn in turns],
        "add_generation_prompt": not prefilled,
        "continue_final_message": prefilled,
    }


def _content(turn: Message, urls: dict[str, str]) -> str | list[dict[str, Any]]:
    if not turn.images:
        return turn.content
    parts: list[dict[str, Any]] = []
    waiting = iter(turn.images)
    for number, piece in enumerate(turn.content.split(IMAGE_SLOT)):
        if number:
            parts.append({"type": "image_url", "image_url": {"url": urls[next(waiting)]}})
        if piece:
            parts.append({"type": "text", "text": piece})
    return parts


def _part(path: str, data: bytes) -> dict[str, str]:
    """A picture as its pixels, in PNG: no other reader's rules for colour or rotation apply."""
    try:
        image = decode_picture(path, data)
    except PictureError as error:
        raise EngineError(error.title, error.detail, error.hint) from error
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=1)
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {"type": "image_url", "url": url}


def _read(path: str) -> bytes:
    try:
        return read_picture(path)
    except PictureError as error:
        raise EngineError(error.title, error.detail, error.hint) from error
