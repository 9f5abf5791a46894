"""`rlvr-explorer import`: recorded completions into the cache, whoever recorded them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from explorer.cli.options import read_settings, workspace_option

if TYPE_CHECKING:
    from explorer.exchange.recorded import Given
    from explorer.settings import Settings


@click.command("import", short_help="Read recorded completions into the cache.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@workspace_option
@click.option(
    "--model", default="", metavar="NAME", help="Who wrote them.  [default: as the file says]"
)
@click.option("--role", type=click.Choice(("base", "rl", "distilled")), help="What that model is.")
@click.option("--base", default="", metavar="NAME", help="The base that it is compared with.")
@click.option("--temperature", type=click.FloatRange(0, 5), help="Where the file does not say.")
@click.option("--top-p", type=click.FloatRange(0.01, 1), help="Likewise.")
@click.option("--top-k", type=click.IntRange(0), help="Likewise; 0 = no cut.")
@click.option("--max-tokens", type=click.IntRange(1), help="Likewise.")
@click.option("--template", default="", metavar="NAME", help="The prompt template they saw.")
@click.option(
    "--tokenizer", default="", metavar="FOLDER", help="Turns token ids into text and spans."
)
@click.option("--no-grade", is_flag=True, help="Leave grading to the sampler.")
@click.option("--again", is_flag=True, help="Read a file that has not changed since, too.")
@click.option("--dry-run", is_flag=True, help="Only say what each file is.")
def command(
    paths: tuple[Path, ...], where: Path | None, no_grade: bool, again: bool, dry_run: bool,
    **said: object,
) -> None:  # fmt: skip
    """Read recorded completions into the cache.

    PATH is a file or a folder. Recognised are our own format (what `export` writes) and the
    rollouts of Qwen2.5-Math, SimpleRL and limit-of-RLVR, verl, verifiers and prime-rl,
    lm-evaluation-harness, Inspect, lighteval, EvalPlus, HumanEval, BigCode, LiveCodeBench,
    NeMo-RL, open-instruct, TRL, SkyRL, and OpenAI's GSM8K solutions.

    Importing only adds: what the cache has stays, and importing twice adds nothing. Problems are
    matched to the workspace's datasets, or made. What a file does not say of its settings stays
    unknown. The source's labels are kept beside our own verdicts (`labels`). Rows that cannot be
    used are reported and left out; then the exit code is 5.
    """
    from contextlib import closing, nullcontext

    from explorer.cli.importing import import_all, print_recognised
    from explorer.errors import DataError
    from explorer.exchange.files import files_in
    from explorer.preparation import prepare
    from explorer.store.connection import open_writer
    from explorer.verifiers.pool import VerifierPool

    settings = read_settings(where)
    files = [file for path in paths for file in files_in(path)]
    if dry_run:
        print_recognised(files)
        return
    given = _given(settings, said)
    prepare(settings)
    with (
        closing(open_writer(settings.workspace.cache)) as db,
        nullcontext()
        if no_grade
        else VerifierPool(code_unprotected=settings.code_unprotected) as pool,
    ):
        alone = len(files) == 1 and files[0] in paths
        faulty = import_all(db, files, given, pool, again=again, strict=alone)
    if faulty:
        raise DataError(f"{faulty:,} row{'' if faulty == 1 else 's'} could not be used")


def _given(settings: Settings, said: dict[str, object]) -> Given:
    """The options as the importer takes them.

    Raises:
        UsageError: a base without a role, or a template that does not exist.
    """
    from typing import Any

    from explorer.errors import UsageError
    from explorer.exchange.recorded import Given

    options: dict[str, Any] = {**said, "role": said["role"] or ""}
    template, tokenizer = options.pop("template"), options.pop("tokenizer")
    if options["base"] and not options["role"]:
        raise UsageError("--base needs --role", "", "Say --role rl or --role distilled.")
    if options["base"] and options["role"] == "base":
        raise UsageError("A base model has no base of its own", "", "Leave --base out.")
    if template and template not in settings.templates:
        known = ", ".join(settings.templates)
        raise UsageError(f"There is no template '{template}'", f"These exist: {known}.", "")
    if template:
        options["template"] = settings.templates[template].canonical()
    if tokenizer:
        from explorer.exchange.decoding import read_decoder

        options["decoder"] = read_decoder(settings, tokenizer)
    return Given(**options)
