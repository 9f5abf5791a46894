"""What the sampler checks of a problem's images before it bothers a model with them.

Invariant: whatever is wrong with an image is said of that problem alone: the request fails, the
engine stays, and the next problem is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from explorer.core.problem import Problem
from explorer.core.prompts import PromptImage, RenderedPrompt, Template
from explorer.errors import EngineError, ExplorerError
from explorer.pictures import PictureError, inspect_picture, picture_digest, read_picture

if TYPE_CHECKING:
    from explorer.engines.base import Engine


class ImageRefusedError(ExplorerError):
    """A problem's images cannot be shown to this model."""


async def encode(engine: Engine, template: Template, problem: Problem) -> RenderedPrompt:
    """The problem's prompt, with its images if it has any.

    Raises:
        ImageRefusedError: an image is missing or broken, or the model cannot take it.
    """
    if not problem.images:
        return await engine.encode(template.fill(problem))
    if not engine.info.images:
        raise ImageRefusedError(
            "This model takes no images",
            f"{problem.dataset}/{problem.name} shows {len(problem.images)}.",
            "Sample this problem with a vision-language model. If it is one, its image processor"
            " could not be loaded; the engine's log says why.",
        )
    for path in problem.images:
        try:
            inspect_picture(path)
        except PictureError as error:
            raise _refused(error) from error
    try:
        return await engine.encode(template.fill(problem))
    except EngineError as error:
        raise _refused(error) from error


def found(images: Sequence[PromptImage], problem: Problem) -> tuple[PromptImage, ...]:
    """The images of a stored prompt, each where a file with that content lies now.

    Raises:
        ImageRefusedError: no file holds what the prompt showed.
    """
    return tuple(_found(image, problem) for image in images)


def _found(image: PromptImage, problem: Problem) -> PromptImage:
    trouble: PictureError | None = None
    for path in (image.path, *problem.images):
        try:
            if picture_digest(read_picture(path)) == image.digest:
                return PromptImage(path, image.digest)
        except PictureError as error:
            trouble = trouble or error
    if trouble is not None:
        raise _refused(trouble) from trouble
    raise ImageRefusedError(
        "An image is not the one that was sampled with",
        f"The content of {image.path} has changed since.",
        "Put the old file back, or give the changed problem a new name.",
    )


def _refused(error: ExplorerError) -> ImageRefusedError:
    return ImageRefusedError(error.title, error.detail, error.hint)
