"""The parity linter: each test is a mistake that made a published comparison look like a result."""

from __future__ import annotations

from dataclasses import replace

import pytest

from explorer.core.arm import ArmSpec, Sampling
from explorer.core.parity import compare
from explorer.core.parity_evidence import ArmEvidence, Finding, Severity
from explorer.core.parity_limits import cut_difference
from explorer.core.parity_prompt import prompt_diff
from explorer.core.prompts import Template

BOXED = Template(
    "boxed", "{question}\nPut it in \\boxed{}.", chat=True, system="Be careful."
).canonical()
SAMPLING = Sampling(temperature=0.6, top_p=0.95, max_tokens=16384)
FACTS = {"eos": ("[2]",), "version": ("1",), "generation.use": ("ignored",)}


def arm(name: str, **changes: object) -> ArmEvidence:
    """An arm with nothing to find; keyword arguments change its spec or its evidence."""
    spec = ArmSpec(f"local:{name}", "tok:1", BOXED, SAMPLING, 32768, "vllm", "bfloat16")
    evidence = ArmEvidence(
        name,
        spec,
        FACTS,
        prompt="<s>What is 1?",
        prompt_ids=(1, 2, 3),
        longest_prompt=300,
        completions=512,
        finishes=dict.fromkeys(range(8), (64, 0)),
        verifiers=("math 1",),
        n_least=64,
        n_most=64,
    )
    of_spec = {key: value for key, value in changes.items() if hasattr(spec, key)}
    of_arm = {key: value for key, value in changes.items() if key not in of_spec}
    return replace(evidence, spec=replace(spec, **of_spec), **of_arm)  # type: ignore[arg-type]


def found(topic: str, findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.topic == topic]


def only(topic: str, findings: tuple[Finding, ...]) -> Finding:
    assert [finding.topic for finding in findings] == [topic]
    return findings[0]


def test_equal_arms_have_no_finding() -> None:
    assert compare(arm("base"), arm("rl")) == ()


def test_one_checkpoint_under_two_names_blocks() -> None:
    finding = only("weights", compare(arm("base"), arm("rl", checkpoint="local:base")))
    assert finding.severity is Severity.BLOCKS
    assert "local:base" in finding.what


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replace(SAMPLING, temperature=1.0), "temperature: base 0.6, rl 1."),
        (replace(SAMPLING, top_p=1.0), "top_p: base 0.95, rl 1."),
        (replace(SAMPLING, top_k=20), "top_k: base 0, rl 20."),
    ],
)
def test_other_sampling_blocks(change: Sampling, said: str) -> None:
    finding = only("sampling", compare(arm("base"), arm("rl", sampling=change)))
    assert (finding.severity, finding.what) == (Severity.BLOCKS, said)


def test_another_task_blocks_and_another_chat_template_is_a_doubt() -> None:
    other = Template("other", "{question}\nAnswer:").canonical()
    blocked = only("prompt", compare(arm("base"), arm("rl", template=other, prompt="What is 1?")))
    assert blocked.severity is Severity.BLOCKS
    assert "{question} Answer:" in blocked.what
    doubt = only("prompt", compare(arm("base"), arm("rl", prompt="<|user|>What is 1?")))
    assert doubt.severity is Severity.DOUBT
    assert "own chat templates" in doubt.what


def test_templates_speak_where_no_prompt_is_stored() -> None:
    other = Template("other", "{question}\nAnswer:").canonical()
    unknown = arm("rl", prompt=None, prompt_ids=None)
    assert only("records", compare(arm("base"), unknown)).what == "Not recorded for rl: prompt."
    told = replace(unknown, spec=arm("rl", template=other).spec)
    assert found("prompt", compare(arm("base"), told))[0].severity is Severity.BLOCKS
    named = replace(unknown, spec=arm("rl", template="unknown:abel").spec)
    (doubt,) = found("prompt", compare(arm("base"), named))
    assert doubt.severity is Severity.DOUBT
    assert "known by name only" in doubt.what


def test_a_begin_token_that_only_one_model_gets_is_a_doubt() -> None:
    finding = only("prompt", compare(arm("base"), arm("rl", prompt_ids=(0, 1, 2, 3))))
    assert finding.severity is Severity.DOUBT
    assert "(3 and 4)" in finding.what


def test_a_stop_word_of_one_arm_that_the_other_writes_blocks() -> None:
    """'trousers' holds 'user': defect 3 of the paper's repository."""
    cut = arm("rl", sampling=replace(SAMPLING, stop=("user",)), cut_by_words=5)
    base = arm("base", words={"user": 7})
    stops = found("stop strings", compare(base, cut))
    assert {stop.severity for stop in stops} == {Severity.BLOCKS}
    assert any("7 completions of the other arm hold it" in stop.what for stop in stops)


def test_a_stop_word_of_both_arms_is_told_from_statements_and_cut_rows() -> None:
    stopping = replace(SAMPLING, stop=("assistant", "<|im_end|>", "\n\n"))
    pair = arm("base", sampling=stopping), arm("rl", sampling=stopping)
    (doubt,) = compare(*pair)
    assert doubt.severity is Severity.DOUBT  # the marker and the blank lines are no words
    assert "'assistant'" in doubt.what
    cut = replace(pair[1], cut_by_words=2)
    (blocked,) = compare(pair[0], cut, {"assistant": 3})
    assert blocked.severity is Severity.BLOCKS
    assert "3 problem statements hold it" in blocked.what


def test_a_stop_string_that_the_prompt_asks_for_blocks() -> None:
    """'Answer:' is asked for and cut off: defect 4 of the paper's repository."""
    asks = Template("dapo", "{question}\nEnd with a line like Answer: $Answer.").canonical()
    stopping = replace(SAMPLING, stop=("Answer:",))
    findings = compare(
        arm("base", template=asks, sampling=stopping), arm("rl", template=asks, sampling=stopping)
    )
    assert only("stop strings", findings).severity is Severity.BLOCKS
    label = Template("qa", "Question: {question}\nAnswer:").canonical()
    stopping = replace(SAMPLING, stop=("Question:",))
    assert not compare(
        arm("base", template=label, sampling=stopping),
        arm("rl", template=label, sampling=stopping),
    )


def test_a_context_that_undercuts_max_tokens_is_told() -> None:
    """max_model_len 4096 under max_tokens 16000: defect 1 of the paper's repository."""
    short = arm("base", context=4096)
    kinds = found("context", compare(short, arm("rl")))
    assert [kind.severity for kind in kinds] == [Severity.DOUBT, Severity.NOTE]
    assert "base 3,796 tokens, rl 16,384" in kinds[0].what
    cut = replace(short, finishes=dict.fromkeys(range(8), (64, 6)))
    kinds = found("context", compare(cut, arm("rl")))
    assert [kind.severity for kind in kinds] == [Severity.BLOCKS, Severity.DOUBT]


def test_a_shorter_token_limit_blocks_once_it_cut_something() -> None:
    short = replace(SAMPLING, max_tokens=512)
    assert only("sampling", compare(arm("base"), arm("rl", sampling=short))).severity is (
        Severity.DOUBT
    )
    cut = arm("rl", sampling=short, finishes=dict.fromkeys(range(8), (64, 6)))
    assert found("sampling", compare(arm("base"), cut))[0].severity is Severity.BLOCKS


def test_truncated_shares_are_compared_with_an_interval_over_problems() -> None:
    cut = arm("rl", finishes={problem: (64, 2 + problem) for problem in range(8)})
    gap = cut_difference(arm("base"), cut)
    assert gap is not None
    assert 0.02 < gap.lower[0] < 5.5 / 64 < gap.upper[0] < 0.15
    finding = only("truncated", compare(arm("base"), cut))
    assert finding.severity is Severity.BLOCKS
    assert "rl 8.6% (44 of 512)" in finding.what
    both = dict.fromkeys(range(8), (64, 6))
    alike = compare(arm("base", finishes=both), arm("rl", finishes=both))
    assert only("truncated", alike).severity is Severity.NOTE


def test_few_problems_get_the_wider_interval() -> None:
    one = arm("base", finishes={0: (64, 0)}), arm("rl", finishes={0: (64, 3)})
    gap = cut_difference(*one)
    assert gap is not None
    assert gap.lower[0] < 0 < gap.upper[0]
    assert cut_difference(arm("base", finishes={}), one[1]) is None


def test_a_generation_config_matters_only_where_it_is_followed() -> None:
    penalty = {**FACTS, "generation.repetition_penalty": ("1.05",)}
    ignored = only("generation config", compare(arm("base"), arm("rl", facts=penalty)))
    assert ignored.severity is Severity.NOTE
    applied = penalty | {"generation.use": ("applied",)}
    blocked = only("generation config", compare(arm("base"), arm("rl", facts=applied)))
    assert blocked.severity is Severity.BLOCKS
    assert "repetition_penalty: base not set, rl 1.05" in blocked.what
    cap = FACTS | {"generation.max_new_tokens": ("2048",), "generation.use": ("applied",)}
    capped = found("generation config", compare(arm("base"), arm("rl", facts=cap)))
    assert [one.severity for one in capped] == [Severity.DOUBT]


def test_what_is_not_recorded_is_one_note_never_taken_for_equal() -> None:
    vague = Sampling(temperature=-1, top_p=0, top_k=-1, max_tokens=0)
    unknown = arm(
        "rl", facts={}, context=0, sampling=vague, engine="unknown", tokenizer="unknown",
        dtype="unknown", finishes={},
    )  # fmt: skip
    finding = only("records", compare(arm("base"), unknown))
    assert finding.severity is Severity.NOTE
    assert finding.what == (
        "Not recorded for rl: sampling settings, context, engine, dtype, tokenizer, engine version,"
        " end tokens, generation config, finish reasons."
    )
    both = only("records", compare(arm("base", facts={}), arm("rl", facts={})))
    assert both.what.startswith("Not recorded for base and rl: engine version,")


def test_end_tokens() -> None:
    facts = {**FACTS, "eos": ("[2,7]",)}
    finding = only("EOS", compare(arm("base"), arm("rl", facts=facts)))
    assert (finding.severity, finding.what) == (
        Severity.DOUBT,
        "End tokens: base [2], rl [2,7].",
    )
    other = arm("rl", facts=facts, tokenizer="tok:2", prompt_ids=(9, 8, 7))
    assert found("EOS", compare(arm("base"), other))[0].severity is Severity.NOTE


def test_engine_dtype_version_and_tokenizer() -> None:
    assert only("engine", compare(arm("base"), arm("rl", engine="transformers"))).severity is (
        Severity.DOUBT
    )
    assert only("dtype", compare(arm("base"), arm("rl", dtype="float32"))).severity is (
        Severity.DOUBT
    )
    mixed = {**FACTS, "version": ("1", "2")}
    version = only("version", compare(arm("base"), arm("rl", facts=mixed)))
    assert version.severity is Severity.NOTE
    assert "rl 1 / 2" in version.what
    same_ids = compare(arm("base"), arm("rl", tokenizer="tok:2"))
    assert only("tokenizer", same_ids).severity is Severity.NOTE
    other = compare(arm("base"), arm("rl", tokenizer="tok:2", prompt_ids=(5,)))
    assert only("tokenizer", other).severity is Severity.DOUBT


def test_quantised_weights_are_a_doubt_and_another_rope_is_noted() -> None:
    quantised = {**FACTS, "config.quantization_config": ('{"bits":4}',)}
    finding = only("config", compare(arm("base"), arm("rl", facts=quantised)))
    assert finding.severity is Severity.DOUBT
    longer = {**FACTS, "config.max_position_embeddings": ("131072",)}
    assert only("config", compare(arm("base"), arm("rl", facts=longer))).severity is Severity.NOTE


def test_grading_and_numbers_of_samples() -> None:
    graded = compare(arm("base"), arm("rl", verifiers=("math 2",)))
    assert only("verifier", graded).severity is Severity.BLOCKS
    some = compare(arm("base"), arm("rl", n_least=32, n_most=64))
    assert only("n", some).severity is Severity.NOTE
    half = compare(arm("base"), arm("rl", n_least=32, n_most=32))
    assert only("n", half).severity is Severity.DOUBT
    assert "base 64, rl 32" in only("n", half).what


def test_the_gravest_comes_first() -> None:
    same = arm("rl", dtype="float32", checkpoint="local:base", context=0)
    findings = compare(arm("base"), same)
    assert [finding.severity for finding in findings] == [
        Severity.BLOCKS,
        Severity.DOUBT,
        Severity.NOTE,
    ]


def test_a_prompt_diff_keeps_what_both_say_and_signs_the_rest() -> None:
    lines = prompt_diff("a\nb\nc", "a\nB\nc\nd")
    assert [(line.sign, line.text) for line in lines] == [
        (" ", "a"),
        ("-", "b"),
        ("+", "B"),
        (" ", "c"),
        ("+", "d"),
    ]
    long = "\n".join(str(number) for number in range(3000))
    lines = prompt_diff(long, long.replace("\n1500\n", "\nx\n"))
    assert [(line.sign, line.text) for line in lines if line.sign != " "] == [
        ("-", "1500"),
        ("+", "x"),
    ]
