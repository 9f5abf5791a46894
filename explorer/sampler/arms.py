"""The one place where a loaded engine becomes an arm or a scorer.

Invariant: an arm's key depends on what the engine says that it loaded, never on what a file asked
for ('auto' is resolved), so that recorded completions of the same weights are topped up.
"""

from __future__ import annotations

from explorer.core.arm import ArmSpec, Sampling, canonical_json
from explorer.core.prompts import Template
from explorer.engines.base import EngineInfo
from explorer.store.rows import ScorerRow


def arm_of(info: EngineInfo, template: Template, sampling: Sampling) -> ArmSpec:
    """The arm that this engine's completions belong to."""
    return ArmSpec(
        checkpoint=info.checkpoint,
        tokenizer=info.tokenizer,
        template=template.canonical(),
        sampling=sampling,
        context=info.context,
        engine=info.engine,
        dtype=info.dtype,
    )


def scorer_of(info: EngineInfo, model: str) -> ScorerRow:
    """The scorer that this engine is; its `id` is not known yet."""
    return ScorerRow(0, model, info.checkpoint, info.tokenizer, info.engine, info.dtype)


def facts_of(info: EngineInfo) -> dict[str, str]:
    """What is kept of this engine beside an arm's key, for `core.parity`; the unknown is left out.

    'eos' is a JSON list of token ids, 'version' the engine's.
    """
    facts = {
        "version": info.version,
        "device": info.device,
        "eos": canonical_json(sorted(info.eos_ids)) if info.eos_ids else "",
        "vocabulary": str(info.vocab_size or ""),
        **info.facts,
    }
    return {name: value for name, value in facts.items() if value}
