"""Images for a vision-language model: its processor, its placeholders, its pixel values.

Invariant: the ids that a job names are the ids that the processor makes of the job's text and
images. A job whose image file has changed since it was rendered is refused, never answered from
another picture.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Final

import torch
import transformers

from explorer.core.prompts import IMAGE_SLOT, PLAIN, Message, PromptImage, RenderedPrompt
from explorer.engines import chat_templates
from explorer.errors import EngineError
from explorer.pictures import PictureError, decode_picture, picture_digest, read_picture

_FORGOTTEN: Final = ("rope_deltas",)
"""What Qwen-VL models remember of the last prompt that they read, outside of its cache."""


def sees_images(config: Any) -> bool:
    """Whether a checkpoint's config is that of a model that takes text and images."""
    return getattr(config, "vision_config", None) is not None


def load_processor(source: str, revision: str | None, config: Any, tokenizer: Any) -> Any:
    """The model's own processor of images and text.

    Without torchvision the processors of Qwen-VL and its kin cannot be loaded because of their
    video half; then it is built of its other parts, which is all that images need.

    Raises:
        EngineError: it cannot be loaded; the hint says if torchvision is what it lacks.
    """
    try:
        library: Any = transformers.AutoProcessor  # its methods have no types
        return library.from_pretrained(source, revision=revision)
    except Exception as error:
        if not _for_want_of_torchvision(error):
            raise _unloadable(source, error) from error
    try:
        library = transformers.AutoImageProcessor
        images = library.from_pretrained(source, revision=revision)
        return _without_video(config, images, tokenizer)
    except Exception as error:
        raise _unloadable(source, error) from error


def _without_video(config: Any, images: Any, tokenizer: Any) -> Any:
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    whole: Any = PROCESSOR_MAPPING[type(config)]

    def check(self: Any, name: str, part: Any) -> Any:
        return None if part is None else whole.check_argument_for_proper_class(self, name, part)

    partial = type(whole.__name__, (whole,), {"check_argument_for_proper_class": check})
    return partial(
        image_processor=images, tokenizer=tokenizer, chat_template=tokenizer.chat_template
    )


def _for_want_of_torchvision(error: BaseException) -> bool:
    return "torchvision" in str(error).lower()


def _unloadable(source: str, error: Exception) -> EngineError:
    said = " ".join(str(error).split())[:400]
    hint = "The folder needs the processor's files too: preprocessor_config.json or so."
    if _for_want_of_torchvision(error):
        hint = "This model's processor exists for torchvision only: install the torchvision that"
        hint += f" belongs to torch {torch.__version__}."
    detail = f"{source}: {type(error).__name__}: {said}"
    return EngineError("The model's image processor cannot be loaded", detail, hint)


class ImageReader:
    """Renders prompts with images, and makes of a rendered one what the model takes.

    Args:
        processor: the model's, copied here: encoding has a thread of its own.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = copy.deepcopy(processor)
        self._placeholder = _placeholder(self._processor)

    def encode(self, turns: Sequence[Message]) -> RenderedPrompt:
        """Chat turns (or one of role `PLAIN`) with their images.

        Raises:
            EngineError: an image cannot be used, or the template refuses the turns.
        """
        paths = [path for turn in turns for path in turn.images]
        files = [(path, _read(path)) for path in paths]
        plain = len(turns) == 1 and turns[0].role == PLAIN
        text = self._plain(turns[0]) if plain else self._chat(turns)
        shown = text.count(self._placeholder)
        if shown != len(paths):
            raise EngineError(
                "The prompt does not show its images as this model wants them",
                f"It has {len(paths)} images and {shown} × '{self._placeholder}'.",
                "Does the statement itself contain that mark, or the chat template not show it?",
            )
        batch = self._process(text, files, plain)
        images = tuple(PromptImage(path, picture_digest(data)) for path, data in files)
        return RenderedPrompt(text, tuple(batch["input_ids"][0].tolist()), images)

    def inputs(
        self,
        text: str,
        ids: Sequence[int],
        images: Sequence[PromptImage],
        device: torch.device,
        dtype: torch.dtype,
    ) -> dict[str, Any]:
        """What the model's forward takes besides the ids, for the prompt without its last token.

        Raises:
            EngineError: an image changed, or this processor makes other ids of the prompt.
        """
        files = [(image.path, _read(image.path)) for image in images]
        for image, (path, data) in zip(images, files, strict=True):
            if picture_digest(data) != image.digest:
                raise EngineError(
                    "An image is not the one that the prompt was rendered with",
                    f"The content of {path} has changed since.",
                    "Put the old file back, or give the changed problem a new name.",
                )
        for special in (False, True):
            batch = self._process(text, files, special)
            if batch["input_ids"][0].tolist() == list(ids):
                break
        else:
            raise EngineError(
                "This model sees the prompt's images in other tokens",
                f"Its processor makes {batch['input_ids'].shape[1]} ids of the prompt, not the"
                f" {len(ids)} that were stored.",
                "Models of another family cannot score these completions.",
            )
        return _model_inputs(batch, device, dtype)

    def _process(self, text: str, files: Sequence[tuple[str, bytes]], special: bool) -> Any:
        images = [decode_picture(path, data) for path, data in files]
        try:
            return self._processor(
                text=[text], images=images, add_special_tokens=special, return_tensors="pt"
            )
        except Exception as error:  # processors check sizes, counts and ratios, each in its way
            raise EngineError(
                "The model's processor refuses these images",
                f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
                "Very small or very long images are refused by some models.",
            ) from error

    def _plain(self, turn: Message) -> str:
        return turn.content.replace(IMAGE_SLOT, self._placeholder)

    def _chat(self, turns: Sequence[Message]) -> str:
        prefilled = turns[-1].role == "assistant"
        chat = [{"role": turn.role, "content": _parts(turn)} for turn in turns]
        return chat_templates.write(self._processor, chat, prefilled)


def usable(images: ImageReader | EngineError | None) -> ImageReader:
    """What reads images.

    Raises:
        EngineError: the model takes none, or its processor could not be loaded.
    """
    if images is None:
        raise EngineError(
            "This model takes no images",
            "Its checkpoint has no vision part, and this prompt shows an image.",
            "Sample this problem with a vision-language model.",
        )
    if isinstance(images, EngineError):
        raise images
    return images


def _parts(turn: Message) -> str | list[dict[str, str]]:
    """A turn's content as text and images in turn."""
    if not turn.images:
        return turn.content if turn.role == "assistant" else [_text(turn.content)]
    parts: list[dict[str, str]] = []
    for number, piece in enumerate(turn.content.split(IMAGE_SLOT)):
        if number:
            parts.append({"type": "image"})
        if piece:
            parts.append(_text(piece))
    return parts


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _placeholder(processor: Any) -> str:
    """What stands for one image in a rendered text."""
    token = getattr(processor, "boi_token", None) or getattr(processor, "image_token", None)
    if not isinstance(token, str):
        token = getattr(processor.tokenizer, "image_token", None)
    if not isinstance(token, str):
        raise EngineError(
            "The model's processor does not say how an image is marked",
            f"{type(processor).__name__} names no image token.",
            "This family of models cannot be used with images here.",
        )
    return token


def _read(path: str) -> bytes:
    try:
        return read_picture(path)
    except PictureError as error:
        raise EngineError(error.title, error.detail, error.hint) from error


def _model_inputs(batch: Any, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    length = batch["input_ids"].shape[1]
    inputs: dict[str, Any] = {}
    for name, value in batch.items():
        if name in ("input_ids", "attention_mask") or not isinstance(value, torch.Tensor):
            continue
        if value.dim() == 2 and value.shape[1] == length:  # one entry per token
            value = value[:, :-1]
        inputs[name] = value.to(device, dtype if value.is_floating_point() else None)
    return inputs


def forget_prompt(model: Any) -> None:
    """Make the model forget the prompt before, where it keeps more of it than the cache."""
    for module in model.modules():
        for name in _FORGOTTEN:
            if getattr(module, name, None) is not None:
                setattr(module, name, None)
