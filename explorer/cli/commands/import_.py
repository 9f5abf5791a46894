"""`rlvr-explorer import`: recorded completions into the cache."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import read_settings, workspace_option


@click.command("import", short_help="Read recorded completions into the cache.")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE…",
)
@workspace_option
@click.option("--no-grade", is_flag=True, help="Leave grading to the sampler.")
@click.option("--again", is_flag=True, help="Read a file that has not changed since, too.")
def command(files: tuple[Path, ...], where: Path | None, no_grade: bool, again: bool) -> None:
    """Read recorded completions into the cache.

    Reads what `export` writes (JSON lines, also gzipped). Importing only adds: what the cache has
    stays, and importing twice adds nothing. Lines that cannot be used are reported and left out;
    then the exit code is 5.
    """
    from contextlib import closing, nullcontext

    from explorer.cli.importing import print_import, progress_bar
    from explorer.errors import DataError
    from explorer.exchange.importer import import_file
    from explorer.preparation import prepare
    from explorer.store.connection import open_writer
    from explorer.verifiers.pool import VerifierPool

    settings = read_settings(where)
    prepare(settings)
    faulty = 0
    with (
        closing(open_writer(settings.workspace.cache)) as db,
        nullcontext() if no_grade else VerifierPool() as pool,
    ):
        for path in files:
            with progress_bar(path) as on_progress:
                report = import_file(db, path, on_progress=on_progress, pool=pool, again=again)
            print_import(report)
            faulty += report.faults_total
    if faulty:
        raise DataError(f"{faulty:,} line{'' if faulty == 1 else 's'} could not be used")
