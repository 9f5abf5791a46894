"""MATH-Vision (Wang et al., 2024): `id`, `question`, `options`, `image`, `answer`, `solution`,
`level`, `subject`; the hub adds `decoded_image`.

Marks such as `<image1>` stay in the statement: they say where the figure belongs, and several of
them may mean one file. Options that are more than their letters are listed by letter. The answer
of a multiple-choice question is a letter, that of another one a value, which may look like a
letter; some published answers are the option's text instead, and both are kept: `gold` as it is,
`letter` for the verifier. The subject and the level become family and level.
"""

from __future__ import annotations

from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.images import unpack
from explorer.datasets.reading import letter, make, name_of, one_line, read_files, with_choices
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings


def read(settings: DatasetSettings) -> DatasetContents:
    """Read MATH-Vision; see `reading.read_files`."""
    return read_files(settings, problem)


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: it has no answer, no image, or an answer that is none of its options.
    """
    options, answer = row.texts("options"), row.needed("answer").strip()
    letters = [letter(place) for place in range(len(options))]
    image = row.values["decoded_image"] if row.has("decoded_image") else row.needed("image")
    question = row.needed("question").strip()
    return make(
        settings,
        row,
        name=name_of(row, "id"),
        statement=question if list(options) == letters else with_choices(question, options),
        gold=answer,
        family=one_line(row.text("subject")),
        level=one_line(row.text("level")),
        extra={
            "choices": list(options) or None,
            "letter": _letter(answer, options, letters),
            "solution": row.text("solution"),
        },
        images=(unpack(settings, row, image),),
    )


def _letter(answer: str, options: tuple[str, ...], letters: list[str]) -> str:
    if not options or answer in letters:
        return answer if options else ""
    same = [place for place, option in enumerate(options) if option.strip() == answer]
    if not same:
        raise ValueError(f"the answer {answer!r} is none of the options")
    return letters[same[0]]
