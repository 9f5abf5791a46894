"""`import --tokenizer`: a folder, a hub name or a model of explorer.toml as a decoder of ids."""

from __future__ import annotations

from explorer.exchange.recorded import Decoder
from explorer.settings import Settings


def read_decoder(settings: Settings, name: str) -> Decoder:
    """The tokenizer of that model or folder.

    Raises:
        EngineError: there is none.
        MissingExtraError: transformers is not installed.
    """
    from explorer.engines.decoding import IdDecoder

    model = settings.models.get(name)
    decoder = IdDecoder(model.source if model else name)
    return Decoder(decoder.text, decoder.ends, decoder.identity)
