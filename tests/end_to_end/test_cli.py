"""The command line as people use it: real processes, real files, exit codes and words."""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from explorer.paths import sample_data
from explorer.settings.template import demo
from tests.fake_cache import build

SETTINGS = """
[models.base]
role = "base"
source = "base"
[models.rl]
role = "rl"
base = "base"
algorithm = "GRPO"
source = "rl"
[presets.demo]
max_tokens = 160
[presets.unused]
max_tokens = 7
[defaults]
preset = "demo"
"""

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


def explorer(
    *arguments: str | Path,
    cwd: Path,
    expect: int = 0,
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal and check its exit code."""
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    result = subprocess.run(
        [sys.executable, "-m", "explorer", *map(str, arguments)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        env=environment | {"NO_COLOR": "1", "OMP_NUM_THREADS": "1"},
        preexec_fn=before,
    )
    assert result.returncode == expect, result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    return result


def workspace(folder: Path, problems: int = 8) -> Path:
    """A workspace with completions of three models on a few problems."""
    (folder / "cache").mkdir(parents=True)
    (folder / "explorer.toml").write_text(SETTINGS)
    build(folder / "cache" / "explorer.db", problems=problems, n=24, scored=2).close()
    return folder


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that tests only read."""
    return workspace(tmp_path_factory.mktemp("filled") / "w")


def test_init_then_doctor_then_status(tmp_path: Path) -> None:
    made = explorer("init", "--at", "new", cwd=tmp_path)
    assert "Wrote new/explorer.toml" in made.stdout
    inside = tmp_path / "new"
    checked = explorer("doctor", cwd=inside)
    assert str(inside / "explorer.toml") in checked.stdout
    assert "All is well." in checked.stdout
    assert "no cache here yet" in explorer("status", cwd=inside, expect=4).stderr
    assert "2 problems" in explorer("open", cwd=inside).stdout
    status = json.loads(explorer("status", "--json", cwd=inside).stdout)
    assert status["problems"] == 2
    assert status["sampler"]["alive"] is False
    assert "All is well." in explorer("doctor", "--verify", cwd=inside).stdout
    assert "No sampler is running." in explorer("stop", cwd=inside).stdout


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "explorer.toml").write_text("# mine\n")
    refused = explorer("init", cwd=tmp_path, expect=3)
    assert "There is an explorer.toml already" in refused.stderr
    assert (tmp_path / "explorer.toml").read_text() == "# mine\n"
    assert not (tmp_path / "problems.jsonl").exists()


def test_demo_without_a_terminal_prints_the_facts_and_keeps_them(tmp_path: Path) -> None:
    first = explorer("demo", cwd=tmp_path)
    assert re.search(r"^twins · \d+ problems · T 1", first.stdout, re.MULTILINE)
    for word in ("pass@1 ", "pass@4 ", "pass@16 ", "pass@64 ", "P both", "S only base", "Δ_SE"):
        assert word in first.stdout
    assert "For example twins/" in first.stdout
    settings = tmp_path / "demo-workspace" / "explorer.toml"
    settings.write_text(settings.read_text() + "# mine\n")
    assert explorer("demo", cwd=tmp_path).stdout == first.stdout
    assert settings.read_text().endswith("# mine\n")


def test_bad_settings_name_every_line_and_exit_3(tmp_path: Path) -> None:
    path = tmp_path / "explorer.toml"
    path.write_text('[models.rl]\nrole = "rl"\nsource = "x"\n[defaults]\nn = -1\n')
    failed = explorer("report", cwd=tmp_path, expect=3)
    assert f"{path}:2: [models.rl] a model of role 'rl' must name its base" in failed.stderr
    assert f"{path}:5: [defaults] n = -1 is out of range" in failed.stderr
    assert failed.stdout == ""
    assert "explorer.toml has 2 mistakes" in explorer("doctor", cwd=tmp_path, expect=1).stdout


def test_no_settings_here(tmp_path: Path) -> None:
    assert "rlvr-explorer init" in explorer("status", cwd=tmp_path, expect=3).stderr
    assert "Did you mean 'status'?" in explorer("stauts", cwd=tmp_path, expect=2).stderr
    assert "No such option" in explorer("status", "--foo", cwd=tmp_path, expect=2).stderr


def test_unknown_names_suggest_known_ones(filled: Path) -> None:
    for arguments, hint in (
        (("show", "tres-000"), "Did you mean 'trees-000'?"),
        (("report", "-d", "twin"), "did you mean 'twins'?"),
        (("report", "--preset", "demoo"), "did you mean 'demo'?"),
        (("report", "-p", "base<"), "For example base<0.05."),
        (("sample", "-m", "bse", "-p", "all"), "Did you mean 'base'?"),
        (("export", "x.jsonl", "-m", "distiled"), "Did you mean 'distilled'?"),
        (("tres-000",), "Did you mean 'trees-000'?"),
    ):
        assert hint in explorer(*arguments, cwd=filled, expect=2).stderr


def test_show_prints_one_problem_safely(filled: Path) -> None:
    shown = explorer("show", "twins/hostile", cwd=filled).stdout
    assert "[b]bold[/b] a[i] [/foo]" in shown
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]", shown)
    assert re.search(r"^correct / n +23/24 +23/24 +23/24$", shown, re.MULTILINE)
    assert "observed at n = 24 vs 24, T 1 · ≤160 tok, verifier math-1: base 23/24" in shown
    assert explorer("hostile", cwd=filled).stdout == shown
    facts = json.loads(explorer("show", "hostile", "--json", "-k", "1,64", cwd=filled).stdout)
    assert facts["arms"][0]["correct"] == 23
    assert facts["arms"][0]["pass"] == [pytest.approx(23 / 24), None]


def test_report_says_the_same_in_every_form(filled: Path) -> None:
    text = explorer("report", "-k", "1,8", cwd=filled).stdout
    markdown = explorer("report", "-k", "1,8", "-f", "markdown", cwd=filled).stdout
    table = explorer("report", "-k", "1,8", "-f", "csv", cwd=filled).stdout.splitlines()
    facts = json.loads(explorer("report", "-k", "1,8", "--json", cwd=filled).stdout)
    assert [arm["model"] for arm in facts[0]["arms"]] == ["base", "rl", "distilled"]
    value = facts[0]["arms"][1]["pass"][0]
    assert f"{100 * value:.1f} [" in text
    assert f"| {100 * value:.1f} [" in re.sub(r"\| [\d.]+ \[[^]]+\] (?=\|)", "", markdown, count=1)
    row = dict(zip(table[0].split(","), table[3].split(","), strict=True))
    assert (row["model"], row["k"], float(row["pass"])) == ("rl", "1", value)
    some = json.loads(explorer("report", "-p", "base<50%", "--json", cwd=filled).stdout)
    assert 0 < some[0]["problems"] < facts[0]["problems"]


def test_unused_settings_show_no_numbers_of_other_settings(filled: Path) -> None:
    facts = json.loads(explorer("report", "--preset", "unused", "--json", cwd=filled).stdout)
    assert all(arm["problems"] == 0 for arm in facts[0]["arms"])


def test_models_tell_configured_from_stored(filled: Path) -> None:
    lines = {
        line["name"]: line for line in json.loads(explorer("models", "--json", cwd=filled).stdout)
    }
    assert lines["rl"]["completions"] == 8 * 24
    assert lines["rl"]["settings"]["algorithm"] == "GRPO"
    assert lines["distilled"]["missing"] == "not in explorer.toml"


def test_export_and_import_make_the_same_cache_again(filled: Path, tmp_path: Path) -> None:
    """Through two caches: the first grades with today's verifier, the second takes that over."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "explorer.toml").write_text(SETTINGS)
    explorer("export", tmp_path / "a.jsonl.gz", "--exact", cwd=filled)
    done = explorer("import", "../a.jsonl.gz", cwd=tmp_path / "first").stdout
    assert f"{3 * 8 * 24} new completions" in done
    explorer("export", tmp_path / "b.jsonl.gz", "--exact", cwd=tmp_path / "first")
    done = explorer("import", "../b.jsonl.gz", cwd=tmp_path / "second").stdout
    assert f"{3 * 8 * 24} graded in the file, 0 graded now" in done
    explorer("export", tmp_path / "c.jsonl.gz", "--exact", cwd=tmp_path / "second")
    assert (tmp_path / "b.jsonl.gz").read_bytes() == (tmp_path / "c.jsonl.gz").read_bytes()
    again = explorer("import", "../b.jsonl.gz", "--again", cwd=tmp_path / "second").stdout
    assert "0 new completions" in again
    assert "nothing to do" in explorer("import", "../b.jsonl.gz", cwd=tmp_path / "second").stdout
    assert "every count agrees" in explorer("doctor", "--verify", cwd=tmp_path / "second").stdout
    reports = [
        explorer("report", "-f", "csv", cwd=folder).stdout
        for folder in (tmp_path / "first", tmp_path / "second")
    ]
    assert reports[0] == reports[1]


def test_export_never_replaces_a_file_unasked(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.jsonl"
    target.write_text("precious")
    assert "there already" in explorer("export", target, cwd=filled, expect=2).stderr
    assert target.read_text() == "precious"
    explorer("export", target, "-p", "hostile", "-m", "rl", "--force", cwd=filled)
    assert target.read_text().count('"type":"completion"') == 24


def test_a_faulty_line_costs_that_line(filled: Path, tmp_path: Path) -> None:
    explorer("export", tmp_path / "a.jsonl", "-p", "hostile", cwd=filled)
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, "{not json", '{"type":"\x1b[2J"}']))
    (tmp_path / "explorer.toml").write_text(SETTINGS)
    failed = explorer("import", "a.jsonl", cwd=tmp_path, expect=5)
    assert "72 new completions" in failed.stdout
    assert f"a.jsonl:{len(lines) + 1}:" in failed.stderr
    assert "\x1b" not in failed.stderr
    assert "2 rows could not be used" in failed.stderr


def test_faulty_files_of_a_workspace_are_reported_and_do_not_stop_it(tmp_path: Path) -> None:
    folder = workspace(tmp_path / "w", problems=3)
    (folder / "p.jsonl").write_text('{"id": "a", "question": "1+1?", "answer": "2"}\n{oops\n')
    text = '[datasets.mine]\npath = "p.jsonl"\n[recorded]\nfiles = ["gone.jsonl"]\n'
    (folder / "explorer.toml").write_text(SETTINGS + text)
    shown = explorer("open", cwd=folder)
    assert "mine · 1 problem" in shown.stdout
    assert "p.jsonl:2:" in shown.stderr
    assert "gone.jsonl" in shown.stderr
    checked = explorer("doctor", cwd=folder, expect=1).stdout
    assert "p.jsonl:2:" in checked
    (folder / "p.jsonl").write_text('{"id": "a", "question": "1+1?", "answer": "2"}\n')
    assert "p.jsonl:2:" not in explorer("open", cwd=folder).stderr


def _obey_permissions() -> None:
    """As root, give up the right to ignore file modes (in the child, before it starts)."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_read_only_cache_is_shown_and_never_written(tmp_path: Path) -> None:
    folder = workspace(tmp_path / "w", problems=3)
    expected = explorer("report", "-f", "csv", cwd=folder).stdout
    cache = folder / "cache"
    before = sorted((path.name, path.stat().st_mtime_ns) for path in cache.glob("explorer.db"))
    for path in cache.iterdir():
        path.chmod(0o400)
    cache.chmod(0o500)
    probe = subprocess.run(["touch", cache / "probe"], preexec_fn=_obey_permissions, check=False)
    if probe.returncode == 0:
        pytest.skip("this user may write everywhere")
    try:
        shown = explorer("report", "-f", "csv", cwd=folder, before=_obey_permissions)
        assert shown.stdout == expected
        checked = explorer("doctor", cwd=folder, before=_obey_permissions)
        assert "nothing can be sampled" in checked.stdout
        refused = explorer(
            *("sample", "-m", "base", "-p", "all"), cwd=folder, expect=4, before=_obey_permissions
        )
        assert "cannot be written" in refused.stderr
    finally:
        cache.chmod(0o700)
    after = sorted((path.name, path.stat().st_mtime_ns) for path in cache.glob("explorer.db"))
    assert after == before


def test_cache_in_an_impossible_place(tmp_path: Path) -> None:
    (tmp_path / "explorer.toml").write_text('[cache]\npath = "explorer.toml/cache.db"\n')
    assert "The cache cannot be opened" in explorer("report", cwd=tmp_path, expect=4).stderr


def test_foreign_and_damaged_files_are_not_taken_for_a_cache(tmp_path: Path) -> None:
    (tmp_path / "explorer.toml").write_text('[cache]\npath = "x.db"\n')
    (tmp_path / "x.db").write_text("not a database at all " * 100)
    assert "damaged" in explorer("status", cwd=tmp_path, expect=4).stderr
    assert (tmp_path / "x.db").read_text().startswith("not a database")


def test_a_closed_pipe_is_no_error(filled: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = subprocess.run(
        [sys.executable, "-m", "explorer", "report"],
        cwd=filled,
        stdin=subprocess.DEVNULL,
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    os.close(write_end)
    assert (result.returncode, result.stderr) == (141, "")


def test_sample_score_show_stop_with_a_real_model(tmp_path: Path) -> None:
    """The bundled models through the detached sampler, as a person would at a shell."""
    pytest.importorskip("torch", reason="needs the extra 'local'")
    if not (sample_data() / "models" / "base" / "config.json").is_file():
        pytest.skip("the bundled models are not in this checkout")
    text = demo(sample_data()).replace("recorded/*", "recorded/none-*")
    (tmp_path / "explorer.toml").write_text(text)
    try:
        asked = explorer(
            *("sample", "-m", "rl", "-p", "hoard-001,hoard-002", "-n", "6", "--wait"), cwd=tmp_path
        )
        assert "Asked for 6 completions of 2 problems by rl" in asked.stdout
        assert asked.stderr.splitlines()[-1].startswith("2/2 requests done · 12/12 completions")
        facts = json.loads(explorer("show", "hoard-001", "--json", cwd=tmp_path).stdout)
        counts = {arm["model"]: arm["n"] for arm in facts["arms"]}
        assert counts.pop("rl") == 6
        assert set(counts.values()) == {0}
        scored = explorer(
            *("score", "-m", "base", "--of", "rl", "-p", "hoard-001", "-n", "2", "--wait"),
            cwd=tmp_path,
        )
        assert scored.stderr.splitlines()[-1] == "1/1 requests done"
        out = explorer("export", "out.jsonl", cwd=tmp_path).stdout
        assert "12 completions of 2 problems by 1 arms · 2 scores" in out
        status = json.loads(explorer("status", "--json", cwd=tmp_path).stdout)
        assert status["open"] == []
        assert status["failed"] == []
    finally:
        stopped = explorer("stop", cwd=tmp_path)
    assert "asked to stop" in stopped.stdout


def test_a_model_that_cannot_be_loaded_fails_the_wait(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra 'local'")
    (tmp_path / "problems.jsonl").write_text('{"id": "a", "question": "1+1?", "answer": "2"}\n')
    text = '[models.base]\nrole = "base"\nsource = "./nowhere"\n[sampler]\nidle_exit_s = 1\n'
    (tmp_path / "explorer.toml").write_text(text + '[datasets.d]\npath = "problems.jsonl"\n')
    failed = explorer(
        "sample", "-m", "base", "-p", "a", "-n", "2", "--wait", cwd=tmp_path, expect=6
    )
    assert "1 of 1 failed; the log is" in failed.stderr
    assert "failed   base on d/a" in explorer("status", cwd=tmp_path).stdout
    explorer("stop", cwd=tmp_path)
