"""What completions of a branch begin with, and how it is joined with what a model went on to say.

Invariant: a joined completion is a whole answer, so that it is graded, read and scored like any
other. Its beginning was not drawn, so no log-probabilities of its own are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from explorer.core.arm import Sampling
from explorer.core.completion import Tokens
from explorer.errors import ExplorerError
from explorer.store.branches import BranchRow


class NoRoomError(ExplorerError):
    """A prefix that is as long as the answer may be."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Token ids, the byte at which each ends, and their text as UTF-8."""

    ids: tuple[int, ...]
    ends: tuple[int, ...]
    data: bytes

    def rest_of(self, sampling: Sampling) -> Sampling:
        """The settings for what follows: `max_tokens` counts the beginning.

        Raises:
            NoRoomError: nothing is left.
        """
        left = sampling.max_tokens - len(self.ids)
        if left < 1:
            raise NoRoomError(
                "This prefix is as long as an answer may be",
                f"It has {len(self.ids)} tokens; max_tokens is {sampling.max_tokens}.",
                "Go on from an earlier token.",
            )
        return replace(sampling, max_tokens=left)

    def joined(self, text: str, tokens: Tokens) -> tuple[str, Tokens]:
        """The whole answer."""
        if not self.ids:
            return text, tokens
        ids = np.concatenate([np.array(self.ids, np.int32), tokens.ids]).astype(np.int32)
        rest = tokens.ends + len(self.data)
        ends = np.concatenate([np.array(self.ends, np.int32), rest]).astype(np.int32)
        return self.data.decode() + text, Tokens(ids, ends, None, tokens.exact)


NOTHING: Final = Beginning((), (), b"")


def beginning(text: str, tokens: Tokens, branch: BranchRow) -> Beginning:
    """The prefix of a completion's text and tokens that a branch names.

    A character whose bytes are cut in two by the prefix's end is left out of its text.
    """
    ids = tokens.ids[: branch.position].tolist()
    ends = tokens.ends[: branch.position].tolist()
    data = text.encode()[: ends[-1]] if ends else b""
    if branch.swapped_id is not None:
        ids.append(branch.swapped_id)
        data += branch.swapped_text.encode()
        ends.append(len(data))
    whole = data.decode(errors="ignore").encode()
    return Beginning(tuple(ids), tuple(min(end, len(whole)) for end in ends), whole)
