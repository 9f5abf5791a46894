"""Small rollout files of our own in every format that can be imported, written as tests need them.

Every writer makes the same thing: two problems, a model 'm', and samples of which the source calls
some right. Nothing here is copied from anybody's files.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ONE = "A crate holds 4 jars. How many jars do 3 crates hold?"
TWO = "What is 5 plus 9?"
RIGHT = "Three crates hold \\boxed{12} jars."
WRONG = "They hold \\boxed{7} jars."
LINE_FORMATS = (
    "qwen-harness",
    "verl",
    "verifiers",
    "verifiers-traces",
    "lm-eval",
    "human-eval",
    "nemo-rl",
    "open-instruct",
    "skyrl",
    "gsm8k-solutions",
)


def lines(path: Path, rows: list[Any]) -> Path:
    """JSON lines; a str is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
    return path


def document(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def qwen_rows() -> list[dict[str, Any]]:
    shared = {"gt_cot": "", "report": [None, None]}
    return [
        {"idx": 0, "question": ONE, "gt": "12", "code": [RIGHT, WRONG], "pred": ["12", "7"],
         "score": [True, False], **shared},
        {"idx": 1, "question": TWO, "gt": "14", "code": ["\\boxed{14}", ""], "pred": ["14", ""],
         "score": [True, False], **shared},
    ]  # fmt: skip


def qwen_harness(folder: Path, seed: int = 0, temperature: str = "0.6") -> Path:
    name = f"test_qwen-boxed_-1_seed{seed}_t{temperature}_s0_e-1.jsonl"
    return lines(folder / "m" / "jars" / name, qwen_rows())


def verl(folder: Path) -> Path:
    def row(asked: str, output: str, gold: str, score: float) -> dict[str, Any]:
        text = f"system\nBe brief.\nuser\n{asked}\nassistant\n"
        return {"input": text, "output": output, "gts": gold, "score": score, "step": 3,
                "acc": score > 0}  # fmt: skip

    return lines(
        folder / "m" / "rollouts" / "3.jsonl",
        [row(ONE, RIGHT, "12", 1.0), row(ONE, WRONG, "12", 0.0), row(TWO, "It is 14.", "14", 1.0)],
    )


def verl_parquet(folder: Path) -> Path:
    chat = [{"role": "user", "content": ONE}]
    document(folder / "m" / "results.json", [[1, 0]])
    return parquet(
        folder / "m" / "jars.parquet",
        [
            {
                "data_source": "ours/jars",
                "prompt": chat,
                "ability": "math",
                "reward_model": {"style": "rule", "ground_truth": "12"},
                "extra_info": {"split": "test", "index": 0},
                "responses": [RIGHT, WRONG],
            }
        ],
    )


def verifiers(folder: Path) -> Path:
    run = folder / "jars--m" / "1a2b3c4d"
    document(
        run / "metadata.json",
        {"env_id": "jars", "model": "m", "num_examples": 2, "rollouts_per_example": 2,
         "sampling_args": {"temperature": 0.7, "max_tokens": 64}},
    )  # fmt: skip

    def row(asked: str, answer: str, reward: float, gold: str, number: int) -> dict[str, Any]:
        said = [{"role": "assistant", "content": answer}] if answer else []
        return {"id": number, "prompt": [{"role": "user", "content": asked}], "completion": said,
                "answer": gold, "reward": reward, "task": "default"}  # fmt: skip

    return lines(
        run / "results.jsonl",
        [row(ONE, RIGHT, 1.0, "12", 0), row(ONE, WRONG, 0.0, "12", 0), row(TWO, "", 0.0, "14", 1)],
    )


def verifiers_traces(folder: Path) -> Path:
    def node(role: str, text: str, ids: list[int], mask: list[bool]) -> dict[str, Any]:
        sampled = role == "assistant"
        return {"message": {"role": role, "content": text}, "sampled": sampled, "token_ids": ids,
                "mask": mask, "logprobs": [-0.5] * sum(mask)}  # fmt: skip

    def episode(text: str, score: float) -> dict[str, Any]:
        nodes = [
            node("user", ONE, [5, 6, 7], [False] * 3),
            node("assistant", text, [8, 20, 21, 22, 9], [False, True, True, True, False]),
        ]
        trace = {"id": "t", "task": {"question": ONE, "answer": "12"}, "nodes": nodes,
                 "agent": {"model": "m"}, "is_completed": True, "stop_condition": "stop",
                 "rewards": {"correct": {"score": score, "weight": 1.0}}}  # fmt: skip
        return {"id": "e", "env": "jars", "run": "r", "ok": True, "traces": [trace]}

    return lines(folder / "m" / "traces.jsonl", [episode(RIGHT, 1.0), episode(WRONG, 0.0)])


def lm_eval(folder: Path) -> Path:
    def row(number: int, asked: str, texts: list[str], gold: str, chosen: str) -> dict[str, Any]:
        return {
            "doc_id": number, "doc": {"question": asked}, "target": gold,
            "arguments": {"gen_args_0": {"arg_0": f"Q: {asked}\nA:", "arg_1": {"until": ["\n"]}}},
            "resps": [texts], "filtered_resps": texts[:1], "filter": chosen,
            "exact_match": float(gold in texts[0]),
        }  # fmt: skip

    return lines(
        folder / "ours__m" / "samples_jars_2026-01-02T03-04-05.000001.jsonl",
        [
            row(0, ONE, [RIGHT], "12", "strict"),
            row(1, TWO, ["14"], "14", "strict"),
            row(0, ONE, [RIGHT], "12", "flexible"),
            row(1, TWO, ["14"], "14", "flexible"),
        ],
    )


def lm_eval_ranked(folder: Path) -> Path:
    options = {f"gen_args_{i}": {"arg_0": ONE, "arg_1": f" {text}"} for i, text in enumerate("AB")}
    row = {"doc_id": 0, "doc": {"question": ONE, "choices": ["A", "B"]}, "target": "1",
           "arguments": options, "resps": [[["-2.0", "False"]], [["-1.5", "False"]]],
           "filtered_resps": [["-2.0", "False"], ["-1.5", "False"]], "acc": 1.0}  # fmt: skip
    return lines(folder / "m" / "samples_choose_2026-01-02T03-04-05.1.jsonl", [row])


def human_eval(folder: Path) -> Path:
    rows = [
        {"task_id": "HumanEval/0", "completion": "    return 1\n", "passed": True,
         "result": "passed"},
        {"task_id": "HumanEval/0", "completion": "    return 2\n", "passed": False,
         "result": "failed: no"},
        {"task_id": "HumanEval/1", "completion": "", "passed": False, "result": "timed out"},
    ]  # fmt: skip
    plain = [{name: row[name] for name in ("task_id", "completion")} for row in rows]
    lines(folder / "m" / "samples.jsonl", plain)
    return lines(folder / "m" / "samples.jsonl_results.jsonl", rows)


def evalplus(folder: Path) -> Path:
    def sample(task: str, code: str, base: str, plus: str) -> dict[str, Any]:
        return {"task_id": task, "solution": code, "base_status": base, "plus_status": plus,
                "base_fail_tests": [], "plus_fail_tests": []}  # fmt: skip

    found = {
        "HumanEval/0": [sample("HumanEval/0", "def f():\n    return 1", "pass", "fail"),
                        sample("HumanEval/0", "def f():\n    return 2", "fail", "fail")],
        "HumanEval/1": [sample("HumanEval/1", "def g():\n    return 1", "pass", "pass")],
    }  # fmt: skip
    name = "humaneval__ours--m_vllm_temp_0.2_eval_results.json"
    return document(folder / name, {"date": "2026-01-02", "hash": "0", "eval": found})


def bigcode(folder: Path) -> Path:
    prompt = "def f(x: int) -> int:\n    '''One more.'''\n"
    tests = "def check(candidate):\n    assert candidate(1) == 2\n"
    texts = [prompt + "    return x + 1", prompt + "    return x"]
    document(folder / "m_generations_humaneval_n2.json", [texts])
    return document(
        folder / "2_codeeval_results.json",
        [
            {"task_id": 0, "prompt": prompt, "model_output": text, "reference_testdata": tests,
             "result": result, "failed_reason": "N/A", "attempt": attempt}
            for attempt, (text, result) in enumerate(zip(texts, ("passed", "failed"), strict=True))
        ],
    )  # fmt: skip


def livecodebench(folder: Path) -> Path:
    rows: list[dict[str, Any]] = [
        {"question_title": "Double", "question_content": "Print twice the number.",
         "question_id": "ours_a", "platform": "ours", "starter_code": "", "difficulty": "easy",
         "output_list": ["```python\nprint(2 * int(input()))\n```", "no"],
         "code_list": ["print(2 * int(input()))", ""], "graded_list": [True, False]},
    ]  # fmt: skip
    rows.append({**rows[0], "question_content": "Print thrice.", "question_id": "ours_b"})
    return document(folder / "m" / "codegeneration_2_0.8_eval_all.json", rows)


def inspect_sample(number: int, epoch: int, text: str, score: str) -> dict[str, Any]:
    return {
        "id": number, "epoch": epoch, "input": f"attachment://{'0' * 32}", "target": "12",
        "messages": [{"role": "user", "content": ONE}, {"role": "assistant", "content": text}],
        "output": {"model": "m", "choices": [
            {"message": {"role": "assistant", "content": text}, "stop_reason": "max_tokens",
             "logprobs": {"content": [{"token": "a", "logprob": -1.0, "bytes": [97]},
                                      {"token": "b", "logprob": -2.0, "bytes": [98]}]}}]},
        "scores": {"match": {"value": score, "answer": "12"}}, "attachments": {"0" * 32: ONE},
    }  # fmt: skip


def inspect_header() -> dict[str, Any]:
    return {
        "version": 2, "status": "success",
        "eval": {"eval_id": "ours", "task": "jars", "dataset": {"name": "jars"}, "model": "ours/m"},
        "plan": {"steps": [], "config": {"temperature": 0.5, "max_tokens": 32}},
    }  # fmt: skip


def inspect_eval(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "jars.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(inspect_header()))
        for epoch, text, score in ((1, RIGHT, "C"), (2, WRONG, "I")):
            sample = inspect_sample(1, epoch, text, score)
            archive.writestr(f"samples/1_epoch_{epoch}.json", json.dumps(sample))
    return path


def inspect_json(folder: Path) -> Path:
    samples = [inspect_sample(1, 1, RIGHT, "C"), inspect_sample(1, 2, WRONG, "I")]
    return document(folder / "jars.json", {**inspect_header(), "samples": samples})


def lighteval(folder: Path) -> Path:
    stamp = "2026-01-02T03-04-05.000006"
    return parquet(
        folder / "details" / "ours" / "m" / stamp / f"details_ours|jars|0_{stamp}.parquet",
        [
            {
                "doc": {"query": ONE, "choices": ["12"], "gold_index": [0], "id": "0"},
                "model_response": {"text": [RIGHT], "output_tokens": [[4, 5, 6]]},
                "metric": {"extractive_match": 1.0},
            }
        ],
    )


def nemo_rl(folder: Path) -> Path:
    def row(text: str, reward: float) -> dict[str, Any]:
        return {"content": [ONE, text], "rewards": reward, "input_lengths": 5, "idx": 0,
                "token_ids": [1, 2, 30, 31, 32, 0], "token_loss_mask": [0, 0, 1, 1, 1, 0],
                "generation_logprobs": [0.0, 0.0, -0.1, -0.2, -0.3, 0.0]}  # fmt: skip

    return lines(folder / "m" / "train_data_step7.jsonl", [row(RIGHT, 1.0), row(WRONG, 0.0)])


def open_instruct(folder: Path, ids: list[list[int]] | None = None) -> Path:
    answers = ids or [[10, 11], [12]]
    rows = [
        {"step": 2, "sample_idx": place, "prompt_idx": 0, "prompt_tokens": [3, 4],
         "response_tokens": tokens, "reward": float(place == 0), "advantage": 0.0,
         "finish_reason": "stop", "dataset": "ours/jars", "ground_truth": "12",
         "logprobs": [-0.25] * len(tokens)}
        for place, tokens in enumerate(answers)
    ]  # fmt: skip
    return lines(folder / "m" / "rollouts_0000.jsonl", rows)


def trl(folder: Path) -> Path:
    def row(text: str, reward: float) -> dict[str, Any]:
        return {"step": 5, "prompt": ONE, "completion": text, "format_reward": 0.5,
                "accuracy_reward": reward, "solution": "12", "advantage": 0.1}  # fmt: skip

    rows = [row(RIGHT, 1.0), row(WRONG, 0.0)]
    return parquet(folder / "m" / "completions" / "completions_00005.parquet", rows)


def skyrl(folder: Path) -> Path:
    def row(text: str, score: float) -> dict[str, Any]:
        return {"input_prompt": ONE, "output_response": text, "score": score, "stop_reason": "stop",
                "env_class": "math", "data_source": "jars",
                "env_extras": {"reward_spec": {"ground_truth": "12"}}}  # fmt: skip

    folder = folder / "m" / "dumped_evals" / "global_step_9_evals"
    return lines(folder / "jars.jsonl", [row(RIGHT, 1.0), row(WRONG, 0.0)])


def gsm8k_solutions(folder: Path) -> Path:
    row = {"question": ONE, "ground_truth": "3 crates.\nA: 12",
           "small": {"is_correct": True, "solution": "So 12.\nA: 12"},
           "large": {"is_correct": False, "solution": "So 7.\nA: 7"}}  # fmt: skip
    return lines(folder / "solutions.jsonl", [row])


WRITERS: dict[str, Callable[[Path], Path]] = {
    "qwen-harness": qwen_harness,
    "verl": verl,
    "verl parquet": verl_parquet,
    "verifiers": verifiers,
    "verifiers-traces": verifiers_traces,
    "lm-eval": lm_eval,
    "lm-eval ranked": lm_eval_ranked,
    "human-eval": human_eval,
    "evalplus": evalplus,
    "bigcode": bigcode,
    "livecodebench": livecodebench,
    "inspect": inspect_eval,
    "inspect json": inspect_json,
    "lighteval": lighteval,
    "nemo-rl": nemo_rl,
    "trl": trl,
    "skyrl": skyrl,
    "gsm8k-solutions": gsm8k_solutions,
}
"""Every format whose completions have text; open-instruct's have only token ids."""
