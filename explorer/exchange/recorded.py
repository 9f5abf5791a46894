"""Other people's rollouts into the cache, whatever program wrote them.

Invariant: an import only adds, and a completion is added once, however often and from whichever
copy of its file it comes: it is known by its run, problem and text (`_Keys`). Settings that a file
does not say are stored as unknown, and completions of different settings never share an arm.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final

from explorer.core.arm import ArmSpec, Sampling
from explorer.core.prompts import RenderedPrompt
from explorer.errors import StoreError
from explorer.exchange.matching import Known, Matcher, decides_by_plus
from explorer.exchange.sources import registry
from explorer.exchange.sources.base import (
    Conditions,
    Found,
    Label,
    RawTokens,
    Record,
    anchor,
)
from explorer.exchange.sources.reading import Progress
from explorer.json_lines import RowFault
from explorer.store import catalog
from explorer.store.blobs import pack_float_list, pack_int_list
from explorer.store.completions import PackedTokens
from explorer.store.connection import transaction
from explorer.store.recorded import Appended, RecordedRow, append_recorded
from explorer.store.rows import ModelRow

BATCH_ROWS: Final = 4096
BATCH_CHARACTERS: Final = 8 << 20

Decode = Callable[[list[int]], str]
"""Token ids to text."""

Spans = Callable[[list[int], str], list[int] | None]
"""The byte of the text at which each token ends; None if text and ids do not go together."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """A tokenizer, for files that hold token ids; made by `engines.decoding`."""

    text: Decode
    ends: Spans
    tokenizer: str


@dataclass(frozen=True, slots=True)
class Given:
    """What a person says of files that do not say it themselves; '' and None leave it unknown.

    Attributes:
        model, role, base: who wrote the completions, and what that is.
        template: a prompt template in its canonical form.
    """

    model: str = ""
    role: str = ""
    base: str = ""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    template: str = ""
    decoder: Decoder | None = None

    def describe(self) -> str:
        """A line that differs whenever the arms would."""
        shown = (self.model, self.temperature, self.top_p, self.top_k, self.max_tokens)
        decoder = self.decoder.tokenizer if self.decoder else ""
        parts = [*("" if one is None else str(one) for one in shown), self.template, decoder]
        return "" if not any(parts) else "|".join(parts)


@dataclass(slots=True)
class Outcome:
    """What an import of one file did; `models` and `datasets` are those that it touched."""

    added: int = 0
    present: int = 0
    labels: int = 0
    problems: int = 0
    seen: int = 0
    models: dict[str, str] = field(default_factory=dict)
    datasets: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    without_tokens: int = 0


class RecordedImporter:
    """The state of one file's import."""

    def __init__(
        self,
        db: sqlite3.Connection,
        found: Found,
        given: Given,
        on_fault: Callable[[RowFault], None],
    ) -> None:
        self.db = db
        self.found = found
        self.given = given
        self.on_fault = on_fault
        self.outcome = Outcome()
        self.matcher = Matcher(db, found.source)
        self.progress = Progress()
        self._arms: dict[tuple[str, Conditions], tuple[int, str]] = {}
        self._usual: tuple[int, str] | None = None
        self._last: tuple[object, Known | None] = (None, None)
        self._keys = _Keys(found.run)
        self._prompts: dict[tuple[int, int], tuple[int, ...]] = {}

    def batches(self) -> Iterator[None]:
        """Import batch by batch, each one transaction; a kill loses at most one of them."""
        for batch in self._batches():
            with transaction(self.db):
                rows = [row for record in batch if (row := self._row(record)) is not None]
                self._count(append_recorded(self.db, rows))
            yield
        self.outcome.problems = self.matcher.made

    def _batches(self) -> Iterator[list[Record]]:
        """Rows are parsed before the transaction that stores them, which others wait for."""
        batch: list[Record] = []
        size = 0
        for record in registry.read(self.found, self.progress):
            if isinstance(record, RowFault):
                self.on_fault(record)
                continue
            batch.append(record)
            size += len(record.text)
            if len(batch) >= BATCH_ROWS or size > BATCH_CHARACTERS:
                yield batch
                batch, size = [], 0
        yield batch

    def _row(self, record: Record) -> RecordedRow | None:
        try:
            return self._stored(record)
        except StoreError:
            raise
        except ValueError as error:
            self.on_fault(RowFault(self.found.path, record.row, str(error)))
            return None

    def _stored(self, record: Record) -> RecordedRow:
        if record.ids_only:
            record = self._with_text(record)
        tokens = self._tokens(record)
        arm_id, arm_key = self._arm(record)
        problem = self._problem(record)
        if record.tokens and record.tokens.prompt_ids:
            self._put_prompt(arm_id, problem, record.tokens.prompt_ids)
        if not record.label_only:
            self.outcome.seen += 1
            self.outcome.datasets[problem.dataset] += 1
            self.outcome.without_tokens += tokens is None
            if record.note:
                self.outcome.notes[record.note] += 1
        return RecordedRow(
            arm_id,
            problem.id,
            self._keys.of(record, arm_key, problem),
            record.seed,
            record.text,
            record.finish.value,
            tokens[1] if tokens and tokens[1] is not None else record.mean_logprob,
            tokens[0] if tokens else None,
            self.found.path.name,
            self.found.source,
            record.row,
            record.note,
            _compared(record.labels, problem),
            record.label_only,
        )

    def _problem(self, record: Record) -> Known:
        """The problem; the samples of a row share one reference, which is looked up once."""
        reference, known = self._last
        if reference is not record.problem or known is None:
            known = self.matcher.match(record.problem)
            self._last = (record.problem, known)
        return known

    def _arm(self, record: Record) -> tuple[int, str]:
        if self._usual is not None and not record.model and record.conditions is None:
            return self._usual
        model = self.given.model or record.model or self.found.model
        if self.given.model and record.model and record.model != self.found.model:
            model = record.model  # one file, several models: a single name would pool them
        conditions = record.conditions or self.found.conditions
        known = self._arms.get((model, conditions))
        if known is None:
            spec = arm_spec(model, conditions, self.given, self.found.source)
            with transaction(self.db):
                self._describe(model)
                known = catalog.put_arm(self.db, spec, model), spec.key()
            self._arms[model, conditions] = known
            self.outcome.models.setdefault(model, spec.sampling.label())
        if not record.model and record.conditions is None:
            self._usual = known
        return known

    def _describe(self, model: str) -> None:
        given = self.given
        if not given.role:
            catalog.add_model(self.db, ModelRow(model, "", "", ""))
            return
        catalog.put_models(self.db, [ModelRow(model, given.role, given.base, "")])
        if given.base:
            row = self.db.execute("SELECT role FROM model WHERE name = ?", (given.base,)).fetchone()
            if row is None or not row[0]:
                catalog.put_models(self.db, [ModelRow(given.base, "base", "", "")])

    def _put_prompt(self, arm_id: int, problem: Known, ids: list[int]) -> None:
        """Keep the exact prompt of a cell.

        Raises:
            ValueError: the cell has another prompt, so this completion must not be pooled there.
        """
        cell, prompt = (arm_id, problem.id), tuple(ids)
        if self._prompts.get(cell) == prompt:
            return
        text = self.given.decoder.text(ids) if self.given.decoder else ""
        with transaction(self.db):
            try:
                catalog.put_prompt(self.db, *cell, RenderedPrompt(text, prompt))
            except StoreError as error:
                if error.__cause__ is not None:  # SQLite's own trouble, not a disagreement
                    raise
                raise ValueError("its prompt is not the one of the completions here") from error
        self._prompts[cell] = prompt

    def _with_text(self, record: Record) -> Record:
        decoder, tokens = self.given.decoder, record.tokens
        if decoder is None or tokens is None:
            raise ValueError("token ids without text; --tokenizer FOLDER turns them into text")
        problem = record.problem
        if not problem.statement and tokens.prompt_ids:
            from explorer.exchange.sources.messages import asked_in

            problem = replace(problem, statement=asked_in(decoder.text(tokens.prompt_ids)))
        return replace(record, text=decoder.text(tokens.ids), problem=problem)

    def _tokens(self, record: Record) -> tuple[PackedTokens, float | None] | None:
        if record.tokens is None or not record.tokens.ids:
            return None
        return pack_raw(record.tokens, record.text, self.given.decoder)

    def _count(self, appended: Appended) -> None:
        self.outcome.added += appended.added
        self.outcome.present += appended.present
        self.outcome.labels += appended.labels


def pack_raw(
    tokens: RawTokens, text: str, decoder: Decoder | None
) -> tuple[PackedTokens, float | None]:
    """Tokens as they are stored, and the mean of their log-probabilities.

    Without a tokenizer it is not known which part of the text a token covers: all spans are then
    empty, and the text is shown without tokens.

    Raises:
        ValueError: an id is no 32-bit number.
    """
    ends = (decoder.ends(tokens.ids, text) if decoder else None) or [0] * len(tokens.ids)
    packed, mean = None, None
    try:
        if tokens.logprobs:
            packed, mean = pack_float_list(tokens.logprobs)
        ids = pack_int_list(tokens.ids)
    except (TypeError, OverflowError) as error:
        raise ValueError("token ids that are no whole numbers of 32 bits") from error
    return PackedTokens(ids, pack_int_list(ends), packed, True), mean


def arm_spec(model: str, conditions: Conditions, given: Given, source: str) -> ArmSpec:
    """The arm of imported completions: what the file says, else what the person says."""
    temperature = _first(conditions.temperature, given.temperature, -1.0)
    greedy = temperature == 0
    sampling = Sampling(
        temperature=temperature,
        top_p=1.0 if greedy else _first(conditions.top_p, given.top_p, 0.0),
        top_k=0 if greedy else int(_first(conditions.top_k, given.top_k, -1)),
        max_tokens=int(_first(conditions.max_tokens, given.max_tokens, 0)),
        stop=conditions.stop,
    )
    step = f"@{conditions.step}" if conditions.step else ""
    return ArmSpec(
        checkpoint=conditions.checkpoint or f"unknown:{model}{step}",
        tokenizer=given.decoder.tokenizer if given.decoder else "unknown",
        template=given.template or f"unknown:{conditions.prompt or source}",
        sampling=sampling,
        context=0,
        engine=conditions.engine or "unknown",
        dtype=conditions.dtype or "unknown",
    )


def _first(said: float | None, given: float | None, unknown: float) -> float:
    return float(next((one for one in (said, given) if one is not None), unknown))


def _compared(labels: tuple[Label, ...], problem: Known) -> tuple[Label, ...]:
    """Of EvalPlus's two labels, the one about the tests that the problem has here."""
    if len(labels) > 1 and {"base", "plus"} <= {label.name for label in labels}:
        decisive = "plus" if decides_by_plus(problem) else "base"
        return tuple(label._replace(compared=label.name == decisive) for label in labels)
    return labels


class _Keys:
    """Keys of completions: a digest of run, arm, problem, seed, text, and the how-manieth it is.

    Two completions of a problem may have the same text; they are told apart by counting, so that
    neither the order of rows nor what stands between them matters.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._seen: Counter[bytes] = Counter()

    def of(self, record: Record, arm_key: str, problem: Known) -> bytes:
        if not self._run:
            self._run = anchor(record.problem, record.text)
        named = (problem.dataset, problem.name, record.problem.id)
        parts = (self._run, arm_key, *named, str(record.seed))
        text = "\0".join((*parts, record.text)).encode()
        digest = blake2b(text, digest_size=16).digest()
        occurrence = record.occurrence
        if occurrence is None:
            self._seen[digest] += 1
            occurrence = self._seen[digest]
        if occurrence == 1:
            return digest
        return blake2b(digest + occurrence.to_bytes(8), digest_size=16).digest()
