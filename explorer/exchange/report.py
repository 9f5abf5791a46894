"""How far an import is, and what it did: what the importers fill and the command line prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from explorer.json_lines import RowFault

FAULTS_KEPT: Final = 200
"""A file that is wrong throughout must not fill the memory with reasons."""


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is: bytes of the file, and completions seen."""

    bytes_done: int
    bytes_total: int
    completions: int


@dataclass(slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        recognised: the file's format in words, and what its name and neighbours say.
        companion_of: what the file belongs to, if it holds no completions of its own.
        unchanged: this very file was imported before and was not read again.
        added: new completions; `scores`: new scores; `problems`: new problems.
        present: completions that were here already; `different`: those of them whose text here
            is another one (the one that was here first stays).
        graded_in_file: verdicts taken over; `graded`: given now.
        faults: the first lines that were left out; `faults_total`: how many.
        labels: what the source says of its completions, as far as it is new here.
        models: who wrote them, and with which settings; `datasets`: completions by dataset.
        remarks: what a person should know about the file; `notes`: marks on its completions.
        without_tokens: completions whose token ids the file does not hold.
    """

    path: Path
    recognised: str = ""
    companion_of: str = ""
    unchanged: bool = False
    added: int = 0
    present: int = 0
    different: int = 0
    problems: int = 0
    scores: int = 0
    graded_in_file: int = 0
    graded: int = 0
    faults: tuple[RowFault, ...] = ()
    faults_total: int = 0
    labels: int = 0
    overrides: int = 0
    models: dict[str, str] = field(default_factory=dict)
    datasets: dict[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    notes: dict[str, int] = field(default_factory=dict)
    without_tokens: int = 0
