"""The parity linter: differences between two arms that would fake a result.

Invariant: it only points; it never decides which arm is right and changes no number. Whatever an
arm does not record is told as unknown, never taken for equal. Each check stands for a mistake
that published evaluations have made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from explorer.core.parity_evidence import ArmEvidence, Finding, Severity, is_known
from explorer.core.parity_limits import check_limits
from explorer.core.parity_prompt import check_prompt, check_stop_words


def compare(
    left: ArmEvidence, right: ArmEvidence, statements: Mapping[str, int] | None = None
) -> tuple[Finding, ...]:
    """Every difference between two arms that could fake a result, the gravest first.

    Args:
        left, right: usually the base's arm and the other model's.
        statements: stop word -> problem statements looked at that hold it.
    """
    found = [
        *_check_weights(left, right),
        *check_prompt(left, right),
        *_check_sampling(left, right),
        *check_stop_words(left, right, statements or {}),
        *check_limits(left, right),
        *_check_generation(left, right),
        *_check_ends(left, right),
        *_check_engine(left, right),
        *_check_numerics(left, right),
        *_check_grading(left, right),
        *_check_records(left, right),
    ]
    order = list(Severity)
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))


def _check_weights(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    if left.spec.checkpoint == right.spec.checkpoint and left.spec.checkpoint:
        yield Finding(
            "weights",
            Severity.BLOCKS,
            f"{left.name} and {right.name} have the same weights: {left.spec.checkpoint}.",
            "A model compared with itself shows no effect, whatever was trained.",
            "Check `source` (and that an adapter changes the output) in explorer.toml.",
        )


def _check_sampling(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    ours, theirs = left.spec.sampling, right.spec.sampling
    for name, unknown in (("temperature", -1), ("top_p", 0), ("top_k", -1)):
        a, b = getattr(ours, name), getattr(theirs, name)
        if a != b and unknown not in (a, b):
            yield Finding(
                "sampling",
                Severity.BLOCKS,
                f"{name}: {left.name} {a:g}, {right.name} {b:g}.",
                "Where two pass@k curves cross moves with how tokens are drawn.",
                "Sample both with one preset; arms of other settings stay choosable with a.",
            )


_BENDING = (
    *("repetition_penalty", "no_repeat_ngram_size", "min_p", "typical_p", "epsilon_cutoff"),
    *("eta_cutoff", "frequency_penalty", "presence_penalty", "suppress_tokens", "bad_words_ids"),
)
"""Fields that no request of ours sets, so that an engine that follows the file applies them."""

_SENT = ("temperature", "top_p", "top_k", "max_new_tokens", "max_length", "do_sample")
"""Fields that every request sets itself, but for a server-wide cap on new tokens."""


def _check_generation(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    fix = "Start both engines so that they ignore the file (vLLM: --generation-config vllm)."
    for name in (*_BENDING, *_SENT):
        key = f"generation.{name}"
        a, b = left.fact(key), right.fact(key)
        if a == b:
            continue
        severity = max(_grade(left, name, a), _grade(right, name, b), key=_weight)
        yield Finding(
            "generation config",
            severity,
            f"{name}: {left.name} {a or 'not set'}, {right.name} {b or 'not set'} in"
            f" generation_config.json{_use(left, right)}.",
            "An engine that follows this file draws from another distribution, or stops earlier.",
            fix if severity is not Severity.NOTE else "Nothing while the engine ignores the file.",
        )


def _grade(arm: ArmEvidence, name: str, value: str) -> Severity:
    """How much a field matters that this arm's checkpoint sets."""
    if not value or arm.fact("generation.use") == "ignored":
        return Severity.NOTE
    if name in _BENDING:
        return Severity.BLOCKS if arm.fact("generation.use") == "applied" else Severity.DOUBT
    if name == "max_new_tokens" and value.isdecimal():
        capped = int(value) < arm.spec.sampling.max_tokens
        return Severity.DOUBT if capped else Severity.NOTE
    return Severity.NOTE


def _weight(severity: Severity) -> int:
    return -list(Severity).index(severity)


def _use(left: ArmEvidence, right: ArmEvidence) -> str:
    uses = {left.fact("generation.use"), right.fact("generation.use")}
    return " (which the engine ignores)" if uses == {"ignored"} else ""


def _check_ends(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    a, b = left.fact("eos"), right.fact("eos")
    if not a or not b:
        return
    if a != b and left.spec.tokenizer != right.spec.tokenizer and not _same_ids(left, right):
        yield Finding(
            "EOS",
            Severity.NOTE,
            f"End tokens: {left.name} {a}, {right.name} {b}, in different vocabularies.",
            "The ids alone cannot be compared; each model must know how to stop.",
            "Look at the truncated share of both.",
        )
    elif a != b:
        yield Finding(
            "EOS",
            Severity.DOUBT,
            f"End tokens: {left.name} {a}, {right.name} {b}.",
            "The one without an end token that it writes runs on, which costs it answers.",
            "Give both checkpoints the same eos_token_id, or look at the truncated shares.",
        )


def _same_ids(left: ArmEvidence, right: ArmEvidence) -> bool:
    """Whether both cut the sample prompt into the same ids: then their vocabularies agree."""
    return left.prompt_ids is not None and left.prompt_ids == right.prompt_ids


def _check_engine(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    same_engine = left.spec.engine == right.spec.engine
    version = left.fact("version"), right.fact("version")
    for topic, a, b, severity, why in (
        ("engine", left.spec.engine, right.spec.engine, Severity.DOUBT, _ENGINES),
        ("dtype", left.spec.dtype, right.spec.dtype, Severity.DOUBT, _DTYPES),
        ("version", *(version if same_engine else ("", "")), Severity.NOTE, _ENGINES),
    ):
        if is_known(a) and is_known(b) and (a != b or " / " in a):
            yield Finding(
                topic,
                severity,
                f"{topic.capitalize()}: {left.name} {a}, {right.name} {b}.",
                why,
                "Draw both with one engine, version and dtype.",
            )
    a, b = left.spec.tokenizer, right.spec.tokenizer
    if a != b and is_known(a) and is_known(b):
        same = _same_ids(left, right)
        yield Finding(
            "tokenizer",
            Severity.NOTE if same else Severity.DOUBT,
            f"The tokenizer files differ ({a}, {b})"
            + ("; the sample prompt has the same ids in both." if same else "."),
            "Token limits, lengths and perplexities per token then count different things.",
            "Compare bits per byte rather than perplexity; check the chat template.",
        )


_NUMERIC = {
    "config.quantization_config": Severity.DOUBT,
    "server.quantization": Severity.DOUBT,
    "server.kv-cache-dtype": Severity.DOUBT,
    "server.speculative-config": Severity.DOUBT,
    "config.rope_scaling": Severity.NOTE,
    "config.rope_parameters": Severity.NOTE,
    "config.sliding_window": Severity.NOTE,
    "config.max_position_embeddings": Severity.NOTE,
}
"""Facts of a checkpoint or server that change what a model computes, not only how fast."""


def _check_numerics(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    """Told only where both arms have facts: an absent one then means 'not set'."""
    for name, severity in _NUMERIC.items() if left.facts and right.facts else ():
        a, b = left.fact(name), right.fact(name)
        if a != b:
            kind, _, field = name.partition(".")
            yield Finding(
                kind,
                severity,
                f"{field}: {left.name} {a or 'not set'}, {right.name} {b or 'not set'}.",
                "It changes what the model computes, apart from how it was trained.",
                "Run both with the same, or name it wherever you show the result.",
            )


_ENGINES = "Engines and their versions round otherwise, which moves a token now and then."
_DTYPES = "Precision moves log-probabilities by 0.001 to 0.05 nats and long samples with them."


def _check_grading(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    if left.verifiers and right.verifiers and left.verifiers != right.verifiers:
        yield Finding(
            "verifier",
            Severity.BLOCKS,
            f"Graded by {', '.join(left.verifiers)} ({left.name}) and"
            f" {', '.join(right.verifiers)} ({right.name}).",
            "Versions of a verifier decide differently, for one arm only.",
            "Grade again: `rlvr-explorer` does so for the stored completions of a changed dataset.",
        )
    if (
        left.n_most
        and right.n_most
        and (left.n_least, left.n_most)
        != (
            right.n_least,
            right.n_most,
        )
    ):
        ratio = max(left.n_most, right.n_most) / max(1, min(left.n_most, right.n_most))
        yield Finding(
            "n",
            Severity.DOUBT if ratio >= 2 else Severity.NOTE,
            f"Samples of a problem: {left.name} {_range(left)}, {right.name} {_range(right)}.",
            "'Solved at least once' favours the arm that was sampled more often.",
            "Sample the other as often; compare pass@k only up to the smaller n.",
        )


def _range(arm: ArmEvidence) -> str:
    if arm.n_least == arm.n_most:
        return f"{arm.n_most:,}"
    return f"{arm.n_least:,}–{arm.n_most:,}"


def _check_records(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    """What nobody can hold equal, because it is not known."""
    missing = {arm.name: arm.unrecorded for arm in (left, right) if arm.unrecorded}
    if len(missing) == 2 and left.unrecorded == right.unrecorded:
        missing = {f"{left.name} and {right.name}": left.unrecorded}
    for names, what in missing.items():
        yield Finding(
            "records",
            Severity.NOTE,
            f"Not recorded for {names}: {', '.join(what)}.",
            "Any of it may be behind a difference: an end token, a penalty, a short context.",
            "Sample a few more here, or import with the options that say it.",
        )
