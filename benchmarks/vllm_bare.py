"""The bare side of `benchmarks.vllm`: `vllm.LLM` and nothing else, run by vLLM's interpreter.

It is a file of its own that imports nothing of this project, because vLLM's environment need not
have it. Jobs come as JSON lines on stdin; results go out as lines that begin with `RESULT`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main() -> None:
    from vllm import LLM, SamplingParams  # type: ignore[import-not-found, unused-ignore]

    options = json.loads(sys.argv[1])
    llm: Any = LLM(**options)
    say({"ready": True})
    for line in sys.stdin:
        job = json.loads(line)
        prompts = [{"prompt_token_ids": ids} for ids in job["prompts"]]
        params = [SamplingParams(**one) for one in job["params"]]
        start = time.perf_counter()
        outputs = llm.generate(prompts, params, use_tqdm=False)
        seconds = time.perf_counter() - start
        drawn = [one for output in outputs for one in output.outputs]
        tokens = sum(len(one.token_ids) for one in drawn)
        say({"seconds": seconds, "completions": len(drawn), "tokens": tokens})


def say(result: dict[str, Any]) -> None:
    print("RESULT " + json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
