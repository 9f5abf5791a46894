"""How long a study of 500 problems × 8 arms × 1024 completions takes to open and to filter.

`python -m benchmarks.study_scale [FOLDER] [--rows]` makes the cache and a Parquet file of the same
verdicts, one row a completion, and prints a table: this program from its counts, pandas from the
file. `--rows` also stores the four million completions (without tokens; minutes, about a gigabyte),
to show that they are not read. Both sides compute the same: mean pass@k at the same ks, 2,000
bootstrap resamples of them and of the paired differences, the gaps, the 2×2.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from explorer.core import intervals, passk
from explorer.core.arm import ArmSpec, Sampling
from explorer.core.problem import Problem
from explorer.paths import Workspace
from explorer.settings import Settings
from explorer.store import catalog, revisions, standing
from explorer.store.connection import open_reader, open_writer, transaction
from explorer.store.rows import ModelRow
from explorer.views.diversity import MOST_ANSWERS
from explorer.views.report_reader import read_reports
from explorer.views.set_snapshot import SetCache, SetSubject
from explorer.views.study_snapshot import StudyCache, StudySubject, StudyView

PROBLEMS: Final = 500
N: Final = 1024
MODELS: Final = (
    ModelRow("base", "base", "", ""),
    *(
        ModelRow(name.lower(), "rl", "base", name)
        for name in ("GRPO", "PPO", "RLOO", "ReMax", "Reinforce++", "DAPO")
    ),
    ModelRow("distilled", "distilled", "base", ""),
)
FILTERS: Final = (
    "class:S", "base<5%", "grpo>0.5 family:family-3", "level>=3", "ppo@64>0.9", "rloo>base",
    '"remainder 12"', "-class:P n>=1024",
)  # fmt: skip

Ints = NDArray[np.int64]


def draw(problems: int, n: int) -> Ints:
    """[A, P] correct of n: base spreads p thinly, RL sharpens and loses the hardest."""
    random = np.random.default_rng(11)
    p = random.beta(0.5, 1.5, problems)
    arms = []
    for place, model in enumerate(MODELS):
        sharp = {"base": 1.0, "rl": 0.35 - 0.01 * place, "distilled": 0.25}[model.role]
        chance = np.where((model.role == "rl") & (p < 0.004 * (1 + place)), 0, p**sharp)
        arms.append(random.binomial(n, np.clip(chance, 0, 1)))
    return np.stack(arms)


def build(path: Path, correct: Ints, n: int, *, rows: bool) -> None:
    """A cache with these counts, and the completions themselves if asked for."""
    sampling = Sampling(0.6, 0.95, 0, 16384)
    with closing(open_writer(path)) as db:
        catalog.put_models(db, MODELS)
        tasks = [
            Problem("scale", f"p{i:04d}", f"What is the remainder {i}?", str(i),
                    family=f"family-{i % 12}", level=str(1 + i % 5), extra={"source": f"s{i % 7}"})
            for i in range(correct.shape[1])
        ]  # fmt: skip
        ids = list(catalog.put_problems(db, tasks).values())
        for arm, model in enumerate(MODELS):
            spec = ArmSpec(
                f"local:{model.name}", "t", "{question}", sampling, 0, "vllm", "bfloat16"
            )
            arm_id = catalog.put_arm(db, spec, model.name)
            counts = {
                (arm_id, problem): {"completions": n, "correct": int(c), "wrong": n - int(c)}
                for problem, c in zip(ids, correct[arm], strict=True)
            }
            with transaction(db):
                standing.add_all(db, counts)
                if rows:
                    _put_rows(db, arm_id, ids, correct[arm], n)
                revisions.bump(db, revisions.Topic.COUNTS)


def _put_rows(db: Any, arm_id: int, ids: list[int], correct: Ints, n: int) -> None:
    for problem, c in zip(ids, correct.tolist(), strict=True):
        db.executemany(
            "INSERT INTO completion (arm_id, problem_id, sample_index, seed, text, finish,"
            " n_tokens, mean_logprob, origin, source, created)"
            " VALUES (?,?,?,0,'',?,600,-0.1,'live','',0)",
            [(arm_id, problem, index, "stop") for index in range(n)],
        )
        db.execute(
            "INSERT INTO verdict (completion_id, verifier, version, outcome, answer, method,"
            " detail) SELECT id, 'math', 'math-1',"
            " CASE WHEN sample_index < ? THEN 'correct' ELSE 'wrong' END, '1', 'boxed', ''"
            " FROM completion WHERE arm_id = ? AND problem_id = ?",
            (c, arm_id, problem),
        )


def write_parquet(path: Path, correct: Ints, n: int) -> None:
    """One row a completion: arm, problem, its columns, right or wrong."""
    import pandas as pd

    arms, problems = correct.shape
    arm = np.repeat(np.arange(arms), problems * n)
    problem = np.tile(np.repeat(np.arange(problems), n), arms)
    right = np.tile(np.arange(n), arms * problems) < np.repeat(correct.reshape(-1), n)
    frame = pd.DataFrame({"arm": arm.astype("int8"), "problem": problem.astype("int16")})
    frame["family"], frame["level"], frame["correct"] = problem % 12, 1 + problem % 5, right
    frame.to_parquet(path)


class Ours:
    """The Study screen's own reader."""

    def __init__(self, path: Path) -> None:
        workspace = Workspace(path.parent, path)
        self.settings = Settings(workspace, {}, {}, {}, {})
        self.path = path
        self.cache = StudyCache(SetCache())

    def open(self) -> StudyView:
        """As when the screen is opened first: nothing is known yet."""
        passk._kept_rows.cache_clear()
        intervals._weights.cache_clear()
        self.cache = StudyCache(SetCache())
        return self.filter("")

    def again(self, text: str, other: tuple[object, StudyView | None]) -> StudyView:
        """As when the filter is typed for the first time: only the list is known."""
        self.cache.study = (None, other[1])
        return self.filter(text)

    def filter(self, text: str) -> StudyView:
        with closing(open_reader(self.path)) as db:
            current = {topic.value: value for topic, value in revisions.current(db).items()}
            listed = SetSubject(self.settings, self.cache.lists, "scale", filter_text=text)
            view = next(iter(StudySubject(listed, self.cache).read(db, current)))
            assert isinstance(view, StudyView)
            assert view.shown.filter_error is None, view.shown.filter_error
            return view

    def report(self, most_answers: int) -> None:
        """As `rlvr-explorer report`; 0 answers at most are all of them."""
        read_reports(self.settings, most_answers=most_answers)


class Pandas:
    """The same from the file, as one would write it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ks = [1, 4, 16, 64, 256, 1024]

    def open(self) -> dict[str, Any]:
        import pandas as pd

        self.frame = pd.read_parquet(self.path)
        return self.filter(lambda counts: counts.index)

    def filter(self, choose: Callable[[Any], Any]) -> dict[str, Any]:
        counts = self.frame.groupby(["problem", "arm"])["correct"].agg(["sum", "size"])
        wide = counts["sum"].unstack()
        n = int(counts["size"].max())
        chosen = wide.loc[choose(wide)]
        factors = np.arange(n)[:, None, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            solved = np.minimum(self._last(chosen, factors, n), 1.0)
            fail = np.log1p(-solved).cumsum(axis=0)
        values = 1 - np.exp(fail[[k - 1 for k in self.ks]])  # [K, P, A]
        random = np.random.default_rng(0)
        picks = random.integers(0, len(chosen), (2000, len(chosen)))
        bands = []
        for k in range(len(self.ks)):
            means = values[k][picks].mean(axis=1)
            bands.append(np.quantile(means, [0.025, 0.975], axis=0))
            np.quantile(means - means[:, :1], [0.025, 0.975], axis=0)
        return {"mean": values.mean(axis=1), "bands": bands}

    @staticmethod
    def _last(chosen: Any, factors: Ints, n: int) -> Any:
        """Chance that sample i is right given that all before it were wrong."""
        return chosen.to_numpy()[None] / (n - factors)


def timed(work: Callable[[], Any], repeat: int = 3) -> str:
    """The median run in ms of CPU, which other work does not lengthen, and of wall."""
    taken = []
    for _ in range(repeat):
        cpu, start = time.process_time(), time.perf_counter()
        work()
        taken.append((1000 * (time.process_time() - cpu), 1000 * (time.perf_counter() - start)))
    cpu_ms, wall_ms = sorted(taken)[len(taken) // 2]
    return f"{cpu_ms:.0f} / {wall_ms:.0f}"


def main() -> None:
    folders = [one for one in sys.argv[1:] if not one.startswith("-")]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(folders[0] if folders else scratch)
        folder.mkdir(parents=True, exist_ok=True)
        cache, parquet = folder / "study.db", folder / "study.parquet"
        correct = draw(PROBLEMS, N)
        if not cache.exists():
            build(cache, correct, N, rows="--rows" in sys.argv)
        if not parquet.exists():
            write_parquet(parquet, correct, N)
        ours, theirs = Ours(cache), Pandas(parquet)
        sizes = f"{PROBLEMS} problems × {len(MODELS)} arms × {N:,} completions"
        print(f"{sizes}; cache {cache.stat().st_size / 1e6:.1f} MB,", end=" ")
        print(f"Parquet {parquet.stat().st_size / 1e6:.1f} MB")
        print(
            "| | problems | explorer, ms CPU / wall | pandas, ms CPU / wall |\n|---|---:|---:|---:|"
        )
        print(f"| open | {PROBLEMS} | {timed(ours.open)} | {timed(theirs.open)} |")
        for text in FILTERS:
            found = ours.filter(text)
            ids = [row.id - 1 for row in found.study.rows]
            ours.filter("")
            mine = timed(lambda text=text: ours.filter(text), 1)  # type: ignore[misc]
            their = timed(lambda ids=ids: theirs.filter(lambda _: ids), 1)  # type: ignore[misc]
            print(f"| `{text}` | {len(ids)} | {mine} | {their} |")
        for name, most in (("report", MOST_ANSWERS), ("report --all-answers", 0)):
            print(f"| `{name}` | {PROBLEMS} | {timed(lambda most=most: ours.report(most))} | |")  # type: ignore[misc]


if __name__ == "__main__":
    main()
