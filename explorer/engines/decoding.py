"""A model's tokenizer without its weights: text and spans of token ids that a file holds."""

from __future__ import annotations

import os

from explorer.engines.fingerprint import checkpoint_folder, tokenizer_identity
from explorer.errors import EngineError, MissingExtraError


class IdDecoder:
    """Decodes as the transformers engine does; `identity` as in an arm's key."""

    def __init__(self, source: str) -> None:
        """Load the tokenizer of a folder, or of a model in the hub's cache.

        Raises:
            EngineError: there is no tokenizer, or it cannot be loaded.
            MissingExtraError: transformers is not installed.
        """
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        try:
            import transformers

            from explorer.engines.hf_text import TokenText
        except ImportError as error:
            raise MissingExtraError("Decoding token ids", "local") from error
        folder = checkpoint_folder(source)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
        except Exception as error:
            first = str(error).partition("\n")[0]
            raise EngineError(
                "The tokenizer cannot be loaded", f"{source}: {first}", "Check the folder."
            ) from error
        self.identity = tokenizer_identity(source)
        self._rows = len(tokenizer)
        self._text = TokenText(tokenizer, self._rows)

    def text(self, ids: list[int]) -> str:
        """The text of these tokens, control tokens left out.

        Raises:
            ValueError: an id is not of this tokenizer.
        """
        if ids and max(ids) >= self._rows:
            raise ValueError(f"token {max(ids)} is not one of this tokenizer's {self._rows}")
        return self._text.decode(ids)

    def ends(self, ids: list[int], text: str) -> list[int] | None:
        """The byte of the text at which each token ends; None if they are of another text.

        Raises:
            ValueError: an id is not of this tokenizer.
        """
        if self.text(ids) != text:
            return None
        ends: list[int] = self._text.ends(ids, text).tolist()
        return ends
