"""A problem's images for a file or stdout: where each lies, what it is, what is wrong with it."""

from __future__ import annotations

from typing import Any

from explorer.core.problem import Problem
from explorer.pictures import PictureError, decode_picture, inspect_picture
from explorer.views.text import one_line


def image_lines(problem: Problem) -> list[str]:
    """`image 1 of 2  /path/4.jpg · 349 × 335 JPEG`, or what is wrong with it after a ✗."""
    total = len(problem.images)
    return [
        f"image {number} of {total}  {one_line(one['path'])} · {_state(one)}"
        for number, one in enumerate(image_dicts(problem), start=1)
    ]


def image_dicts(problem: Problem) -> list[dict[str, Any]]:
    """The same for programs: path, width, height, format and fault ('' = none)."""
    return [_facts(path) for path in problem.images]


def _facts(path: str) -> dict[str, Any]:
    try:
        facts = inspect_picture(path)
        decode_picture(path)  # only decoding finds what is broken further in
    except PictureError as error:
        reason = error.detail.removeprefix(f"{path}: ")
        return {"path": path, "fault": f"{error.title}: {reason}"}
    return {
        "path": path,
        "width": facts.width,
        "height": facts.height,
        "format": facts.format,
        "fault": "",
    }


def _state(one: dict[str, Any]) -> str:
    if one["fault"]:
        return f"✗ {one_line(one['fault'])}"
    return f"{one['width']} × {one['height']} {one['format']}"
