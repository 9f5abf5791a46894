"""Our recorded format: JSON lines, each an object with a `type`; optionally gzipped.

    {"type":"rlvr-explorer","version":1}                         first line, always
    {"type":"model","name":…,"role":…,"base":…,"algorithm":…}
    {"type":"problem","dataset":…,"name":…,"statement":…,"gold":…,"family":…,"level":…,
     "note":…,"verifier":…,"extra":{…}}
    {"type":"arm","ref":1,"model":…,"key":"a1:…","spec":{…}}      spec as `core.arm.ArmSpec`
    (and "facts":{name:[value,…],…}, what was known of the model beside its key)
    {"type":"prompt","arm":1,"problem":"dataset/name","text":…,"ids":[…]}
    (and "images":[[path,digest],…] where the prompt shows images)
    {"type":"completion","arm":1,"problem":"dataset/name","index":0,"seed":1,"text":…,
     "finish":"stop","ids":[…],"lengths":[…],"logprobs":[…],"exact":true,
     "verdict":{"verifier":…,"version":…,"outcome":…,"answer":…,"method":…,"detail":…},
     "second":{"verifier":…,"version":…,"outcome":…,"detail":…}}  about the same answer
    {"type":"override","arm":1,"problem":"dataset/name","index":0,"outcome":"correct",
     "note":…,"author":…,"made":…}                                what a person said; seconds
    {"type":"scorer","ref":1,"model":…,"checkpoint":…,"tokenizer":…,"engine":…,"dtype":…}
    {"type":"score","scorer":1,"arm":1,"problem":…,"index":0,"logprobs":[…],"ranks":[…],
     "entropies":[…],"top_ids":[[…]],"top_logprobs":[[…]],"texts":[…],"top_texts":[[…]]}

Lines refer back only: an arm, a problem and a cell's prompt come before their completions, a
completion before its scores and overrides. `lengths` are the UTF-8 bytes of `text` that each token
covers (0 for EOS). Log-probabilities are natural, raw (temperature 1); null is minus infinity. A
null entropy is unknown. `top_texts` are positions in `texts`. `ids` to `exact` and `verdict` may be
absent. Floats have 6 significant digits, or 9 (all of a float32) if asked for.

Invariant: reading what was written gives the same rows back, up to those digits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

import numpy as np

from explorer.core.arm import ArmSpec
from explorer.core.completion import FinishReason, Origin, Outcome, TokenScores, Verdict
from explorer.core.problem import Problem
from explorer.core.prompts import PromptImage, RenderedPrompt
from explorer.store.blobs import pack_float_list, pack_int_list
from explorer.store.completions import PackedCompletion, PackedTokens
from explorer.store.rows import ModelRow, OverrideRow, ScorerRow

FORMAT: Final = "rlvr-explorer"
VERSION: Final = 1

Row = Mapping[str, Any]

_FINISHES: Final = tuple(reason.value for reason in FinishReason)
_HIGHEST: Final = 2**63 - 1


def text(row: Row, column: str, default: str | None = None) -> str:
    """A text column.

    Raises:
        ValueError: it is absent without a default, or not text.
    """
    value = row.get(column, default)
    if not isinstance(value, str):
        raise ValueError(f"'{column}' is missing" if value is None else f"'{column}' is not text")
    return value


def integer(row: Row, column: str) -> int:
    """A column that is a non-negative integer.

    Raises:
        ValueError: it is not.
    """
    value = row.get(column)
    if type(value) is not int or not 0 <= value <= _HIGHEST:
        raise ValueError(f"'{column}' is not a whole number ≥ 0")
    return value


def model(row: Row) -> ModelRow:
    name, role = text(row, "name"), text(row, "role", "")
    if role not in ("", "base", "rl", "distilled"):
        raise ValueError(f"role {role!r} is not base, rl or distilled")
    return ModelRow(name, role, text(row, "base", ""), text(row, "algorithm", ""))


def problem(row: Row) -> Problem:
    extra = row.get("extra", {})
    if not isinstance(extra, dict):
        raise ValueError("'extra' is not an object")
    return Problem(
        dataset=text(row, "dataset"),
        name=text(row, "name"),
        statement=text(row, "statement"),
        gold=text(row, "gold", ""),
        family=text(row, "family", ""),
        level=text(row, "level", ""),
        note=text(row, "note", ""),
        verifier=text(row, "verifier", "math"),
        extra=extra,
    )


def arm(row: Row) -> ArmSpec:
    try:
        spec = ArmSpec.from_json(row["spec"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"'spec' is incomplete ({error})") from error
    key = row.get("key")
    if key is not None and key != spec.key():
        raise ValueError(f"'key' {key} is not the key of this spec, {spec.key()}")
    return spec


def facts(row: Row) -> list[tuple[str, str]]:
    """(name, value) of each fact of an arm line; none in files of before facts were kept."""
    found = row.get("facts", {})
    if not isinstance(found, dict):
        raise ValueError("'facts' is not an object")
    pairs = [
        (name, value)
        for name, values in found.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    if not all(isinstance(value, str) for _, value in pairs):
        raise ValueError("'facts' holds something that is not text")
    return pairs


def prompt(row: Row) -> RenderedPrompt:
    ids = row.get("ids")
    if not isinstance(ids, list):
        raise ValueError("'ids' is missing")
    _ints(ids, "ids")
    return RenderedPrompt(text(row, "text"), tuple(ids), _images(row))


def _images(row: Row) -> tuple[PromptImage, ...]:
    images = row.get("images", [])
    if not isinstance(images, list) or not all(
        isinstance(image, list) and len(image) == 2 and all(isinstance(one, str) for one in image)
        for image in images
    ):
        raise ValueError("'images' is not a list of [path, digest]")
    return tuple(PromptImage(path, digest) for path, digest in images)


def completion(
    row: Row, source: str, verdict: Verdict | None, second: Verdict | None = None
) -> PackedCompletion:
    body = row.get("text")
    finish = row.get("finish", "unknown")
    if not isinstance(body, str):
        raise ValueError("'text' is missing")
    if finish not in _FINISHES:
        raise ValueError(f"finish {finish!r} is not one of {', '.join(sorted(_FINISHES))}")
    tokens, mean = _tokens(row, body) if row.get("ids") is not None else (None, None)
    return PackedCompletion(
        sample_index=integer(row, "index"),
        seed=integer(row, "seed") if "seed" in row else 0,
        text=body,
        finish=finish,
        n_tokens=len(row["ids"]) if tokens else None,
        mean_logprob=mean,
        origin=Origin.RECORDED.value,
        source=source,
        tokens=tokens,
        verdict=verdict,
        second=second,
    )


def verdict(row: Row) -> Verdict | None:
    """The verdict of a completion's line, if it has one."""
    value = row.get("verdict")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("'verdict' is not an object")
    return Verdict(
        verifier=text(value, "verifier"),
        version=text(value, "version"),
        outcome=Outcome(text(value, "outcome")),
        answer=text(value, "answer", ""),
        method=text(value, "method", "none"),
        detail=text(value, "detail", ""),
    )


def second(row: Row, first: Verdict) -> Verdict | None:
    """The second verdict of a completion's line, if it has one, on the answer of the first."""
    value = row.get("second")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("'second' is not an object")
    return Verdict(
        verifier=text(value, "verifier"),
        version=text(value, "version"),
        outcome=Outcome(text(value, "outcome")),
        answer=first.answer,
        method=first.method,
        detail=text(value, "detail", ""),
    )


def override(row: Row) -> OverrideRow:
    """What a person said of a completion."""
    made = row.get("made")
    if not isinstance(made, int | float) or not math.isfinite(made):
        raise ValueError("'made' is not a number of seconds")
    outcome = text(row, "outcome")
    if outcome not in (Outcome.CORRECT, Outcome.WRONG):
        raise ValueError(f"an override says correct or wrong, not {outcome!r}")
    return OverrideRow(Outcome(outcome), text(row, "note", ""), text(row, "author"), float(made))


def scorer(row: Row) -> ScorerRow:
    columns = ("model", "checkpoint", "tokenizer", "engine", "dtype")
    return ScorerRow(0, *(text(row, column) for column in columns))


def scores(row: Row, n_tokens: int) -> TokenScores:
    """The scores of a completion that has `n_tokens` tokens."""
    texts = row.get("texts", [])
    try:
        logprobs = _float_array(row["logprobs"], -math.inf)
        ranks = np.asarray(row["ranks"], dtype=np.int32)
        entropies = _float_array(row["entropies"], math.nan)
        top_ids = np.asarray(row["top_ids"], dtype=np.int32)
        top_logprobs = np.array(
            [_float_array(line, -math.inf) for line in row["top_logprobs"]], dtype=np.float32
        )
        top_texts = [[str(texts[place]) for place in line] for line in row["top_texts"]]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"a score that cannot be read ({error})") from error
    alternatives = {len(top_ids), len(top_logprobs), len(top_texts)}
    if {len(logprobs), len(ranks), len(entropies)} != {n_tokens} or alternatives != {n_tokens}:
        raise ValueError(f"scores of another length than the completion's {n_tokens} tokens")
    if top_ids.shape != top_logprobs.shape or logprobs.ndim + ranks.ndim + entropies.ndim != 3:
        raise ValueError("'top_ids' and 'top_logprobs' differ in shape")
    return TokenScores(logprobs, ranks, entropies, top_ids, top_logprobs, top_texts)


def dump(row: Row) -> str:
    """One line; text stays readable."""
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False)


def dump_with_floats(row: Row, floats: Mapping[str, Any], digits: int) -> str:
    """One line whose arrays in `floats` are written with so many significant digits."""
    form = f"%.{digits}g"
    parts = [f'"{name}":{_dump_floats(values, form)}' for name, values in floats.items()]
    return ",".join([dump(row)[:-1], *parts]) + "}"


def _dump_floats(values: Sequence[Any], form: str) -> str:
    if values and isinstance(values[0], list):
        return "[" + ",".join(_dump_floats(line, form) for line in values) + "]"
    write: Callable[[float], str] = form.__mod__
    return "[" + ",".join(write(v) if math.isfinite(v) else "null" for v in values) + "]"


def _tokens(row: Row, body: str) -> tuple[PackedTokens, float | None]:
    ids, lengths, logprobs = row["ids"], row.get("lengths"), row.get("logprobs")
    if not isinstance(ids, list) or not isinstance(lengths, list) or len(ids) != len(lengths):
        raise ValueError("'ids' and 'lengths' are not lists of the same length")
    _ints(lengths, "lengths")
    ends = list(accumulate(lengths))
    if ends and ends[-1] > (len(body) if body.isascii() else len(body.encode())):
        raise ValueError("'lengths' cover more than 'text'")
    packed, mean = None, None
    if logprobs is not None:
        if not isinstance(logprobs, list) or len(logprobs) != len(ids):
            raise ValueError("'ids' and 'logprobs' differ in length")
        packed, mean = _floats(logprobs) if logprobs else (b"", None)
    exact = row.get("exact", True) is True
    return PackedTokens(_ints(ids, "ids"), pack_int_list(ends), packed, exact), mean


def _ints(values: list[int], column: str) -> bytes:
    try:
        if values and min(values) < 0:
            raise ValueError(f"'{column}' has a negative number")
        return pack_int_list(values)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"'{column}' is not a list of whole numbers") from error


def _floats(values: list[float | None]) -> tuple[bytes, float]:
    try:
        return pack_float_list(values)  # type: ignore[arg-type]  # null takes the slow way
    except TypeError:
        return pack_float_list(_float_array(values, -math.inf).tolist())


def _float_array(
    values: Sequence[float | None], null: float
) -> np.ndarray[Any, np.dtype[np.float32]]:
    try:
        return np.array([null if v is None else v for v in values], dtype="<f4")
    except (TypeError, ValueError) as error:
        raise ValueError("a list of numbers holds something else") from error
