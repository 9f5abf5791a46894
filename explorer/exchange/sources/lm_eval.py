"""lm-evaluation-harness's `samples_<task>_<date>.jsonl`.

A document comes once per filter with the same answers; later ones only add labels. Tasks that
rank given options draw nothing: what is kept is the option that was ranked first, and says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from explorer.exchange.sources.base import (
    Companion,
    Conditions,
    Found,
    Label,
    ProblemReference,
    Record,
    Row,
    each_row,
    right_or_wrong,
    text_of,
)
from explorer.exchange.sources.head import Head, model_above, unsanitised
from explorer.exchange.sources.kinds import verifier_for
from explorer.exchange.sources.messages import asked_in
from explorer.exchange.sources.reading import Progress, json_rows, read_json
from explorer.json_lines import RowFault

NAME: Final = "lm-eval"
TITLE: Final = "lm-evaluation-harness samples"

_FILE: Final = re.compile(
    r"(?:(?P<before>.+?)__)?samples_(?P<task>.+?)(?:_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+))?\.jsonl"
)
_PLAIN: Final = frozenset(
    {
        *("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"),
        *("doc_hash", "prompt_hash", "target_hash"),
    }
)
_STATEMENTS: Final = ("question", "problem", "Problem", "query", "prompt", "input")
_DECISIVE: Final = ("exact_match", "math_verify", "acc", "pass@1", "pass_at_1")


def recognise(head: Head) -> Found | Companion | None:
    if head.kind == "object" and "results" in head.members and "results_" in head.name:
        return Companion(TITLE)
    if head.kind != "lines" or not head.has("doc_id", "doc", "resps"):
        return None
    named = _FILE.fullmatch(head.name)
    results = head.name.replace(f"samples_{named['task']}_", "results_") if named else ""
    beside = head.path.with_name(results.removesuffix(".jsonl") + ".json")
    settings = read_json(beside) if named else None
    settings = settings if isinstance(settings, dict) else {}
    task = named["task"] if named else head.path.stem.strip("_").rpartition("_")[2]
    ranked = _is_ranked(head.row)
    conditions = Conditions(prompt="lm-eval, options ranked") if ranked else _said(settings, task)
    return Found(
        NAME,
        TITLE,
        head.path,
        f"task {task}, " + ("options ranked by log-likelihood" if ranked else "sampled"),
        model=_model(settings, named, head),
        conditions=conditions,
        run=head.name,
        companions=(beside,) if settings else (),
        facts={"dataset": task},
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    seen: dict[str, str] = {}

    def records(row: Row, line: int) -> list[Record]:
        filtered = text_of(row.get("filter")) or "none"
        name = text_of(row.get("doc_id"))
        first = seen.setdefault(name, filtered) == filtered
        return _records(row, line, found, name, "" if first else filtered)

    return each_row(json_rows(found.path, progress), found.path, records)


def _records(row: Row, line: int, found: Found, name: str, later: str) -> list[Record]:
    doc, target = row.get("doc"), row.get("target")
    responses = row.get("resps")
    if not isinstance(doc, Mapping) or not isinstance(responses, list) or not responses:
        raise ValueError("'doc' or 'resps' is missing")
    statement, gold = _statement(doc, row.get("arguments")), text_of(target)
    choices: tuple[str, ...] = ()
    if _is_ranked(row):
        answers, note = [_ranked_first(row)], "not sampled: the option ranked first"
        options = [_argument(one, 1) for one in _requests(row.get("arguments"))]
        if gold.isdecimal() and int(gold) < len(options) and options[int(gold)] != gold:
            gold = options[int(gold)].strip()
        choices = tuple(one.strip() for one in options) if len(options) > 1 else ()
    else:
        answers, note = [text for one in responses for text in _texts(one)], ""
    problem = ProblemReference(
        found.facts["dataset"],
        name,
        statement,
        gold,
        "choice" if choices else verifier_for(statement, gold),
        choices=choices,
    )
    counts: Counter[str] = Counter()
    records = []
    for text in answers:
        counts[text] += 1
        labels = _labels(row, later, len(answers))
        records.append(
            Record(
                problem,
                text,
                line,
                labels,
                occurrence=counts[text],
                note=note or ("" if text else "empty in the file"),
                label_only=bool(later),
            )
        )
    return records


def _texts(one: Any) -> list[str]:
    texts = one if isinstance(one, list) else [one]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("'resps' holds something that is no text")
    return texts


def _labels(row: Row, later: str, n: int) -> tuple[Label, ...]:
    """The metrics of the row; of several answers they are about all, so nothing is compared."""
    values = {name: right_or_wrong(value) for name, value in row.items() if name not in _PLAIN}
    known = {name: value for name, value in values.items() if value is not None}
    decisive = next((name for part in _DECISIVE for name in known if part in name), "")
    suffix = f" ({later})" if later else ""
    return tuple(
        Label(name + suffix, value, compared=name == decisive and not later and n == 1)
        for name, value in known.items()
    )


def _statement(doc: Mapping[str, Any], arguments: Any) -> str:
    body = text_of(doc.get("body"))
    for name in _STATEMENTS:
        if isinstance(doc.get(name), str) and doc[name].strip():
            question = str(doc[name])
            return f"{body}\n{question}" if body else question
    requests = _requests(arguments)
    return asked_in(_argument(requests[0], 0)) if requests else ""


def _requests(arguments: Any) -> list[Any]:
    """Requests in order; each is {'arg_0': …}, a list, or (one request in all) a bare list."""
    if isinstance(arguments, Mapping):
        return list(arguments.values())
    if isinstance(arguments, list) and arguments and isinstance(arguments[0], str):
        return [arguments]
    return list(arguments) if isinstance(arguments, list) else []


def _argument(request: Any, place: int) -> str:
    if isinstance(request, Mapping):
        return text_of(request.get(f"arg_{place}"))
    return text_of(request[place]) if isinstance(request, list) and place < len(request) else ""


def _is_ranked(row: Row) -> bool:
    """Whether the answers are [log-likelihood, is greedy] rather than texts."""
    responses = row.get("resps")
    one = responses[0] if isinstance(responses, list) and responses else None
    while isinstance(one, list) and one and isinstance(one[0], list):
        one = one[0]
    return isinstance(one, list) and len(one) == 2 and _pair(one) is not None


def _ranked_first(row: Row) -> str:
    """The option with the highest log-likelihood; of a single one, itself if it was greedy."""
    pairs = [_pair(one) for one in row.get("filtered_resps") or ()]
    if not pairs or any(pair is None for pair in pairs):
        pairs = [_pair(one[0]) for one in row["resps"] if isinstance(one, list) and one]
    options = [_argument(one, 1) for one in _requests(row.get("arguments"))]
    likely = [pair for pair in pairs if pair is not None]
    if len(likely) != len(options) and not (len(likely) == 1 and options):
        options = _listed(row.get("doc"), len(likely))
    if not likely or not options:
        raise ValueError("options and log-likelihoods do not go together")
    if len(likely) == 1:
        return options[0] if likely[0][1] else ""
    best = max(range(len(likely)), key=lambda place: likely[place][0])
    return options[best].strip()


def _listed(doc: Any, count: int) -> list[str]:
    choices = doc.get("choices") if isinstance(doc, Mapping) else None
    texts = [text_of(one) for one in choices] if isinstance(choices, list) else []
    return texts if len(texts) == count else [f"option {place + 1}" for place in range(count)]


def _pair(one: Any) -> tuple[float, bool] | None:
    if not isinstance(one, list) or len(one) != 2:
        return None
    try:
        return float(one[0]), one[1] in (True, "True", "true")
    except (TypeError, ValueError):
        return None


def _model(settings: Mapping[str, Any], named: re.Match[str] | None, head: Head) -> str:
    if isinstance(settings.get("model_name"), str) and settings["model_name"]:
        return str(settings["model_name"])
    if named and named["before"]:
        return unsanitised("__".join(named["before"].split("__")[-2:]))
    return model_above(head.path) or head.path.stem


def _said(settings: Mapping[str, Any], task: str) -> Conditions:
    """Generation settings of the task in the results file; greedy where it says so."""
    configs = settings.get("configs")
    config = configs.get(task) if isinstance(configs, Mapping) else None
    said = config.get("generation_kwargs") if isinstance(config, Mapping) else None
    if not isinstance(said, Mapping):
        return Conditions(prompt="lm-eval")
    greedy = said.get("do_sample") is False
    temperature = 0.0 if greedy else right_or_wrong(said.get("temperature"))
    longest = said.get("max_gen_toks")
    stop = said.get("until")
    return Conditions(
        temperature=temperature,
        top_p=1.0 if greedy else right_or_wrong(said.get("top_p")),
        max_tokens=longest if type(longest) is int else None,
        stop=tuple(one for one in stop if isinstance(one, str)) if isinstance(stop, list) else (),
        prompt="lm-eval",
    )
