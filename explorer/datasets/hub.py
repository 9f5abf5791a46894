"""Datasets by their name on a hub: the files that are meant, brought into the hub's own cache.

Files are fetched and read like local ones; no code of a dataset is run. Invariant: what was
fetched once is read without a network, and an error says what to do without one.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from explorer.datasets.choosing import choose
from explorer.errors import DataError, MissingExtraError
from explorer.settings import DatasetSettings
from explorer.settings.formats import is_data

_CONVERTED: Final = "refs/convert/parquet"
"""Where the hub keeps most datasets as Parquet, also those whose own files are of another kind."""

_PATIENCE_S: Final = 15.0


def download(settings: DatasetSettings) -> list[Path]:
    """Local paths of the files of a hub's dataset, fetched if they are not here yet.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        DataError: the hub cannot be reached, has no such dataset, or its files are unclear.
    """
    try:
        from huggingface_hub.errors import RepositoryNotFoundError
    except ImportError as error:
        raise MissingExtraError("Reading datasets by their hub name", "data") from error
    try:
        return _download(settings)
    except RepositoryNotFoundError as error:
        raise DataError(
            f"The hub has no dataset {settings.hub}",
            "It does not exist, or is private or gated and this account has no access.",
            "Correct `hub` in explorer.toml, or log in with `hf auth login`.",
        ) from error
    except Exception as error:
        if not _is_of_the_network(error):
            raise
        raise DataError(
            f"The dataset {settings.hub} cannot be fetched",
            f"The hub cannot be reached: {str(error).strip().splitlines()[0]}",
            "Try again with a network, or download the files elsewhere and give their `path`.",
        ) from error


def _is_of_the_network(error: Exception) -> bool:
    """Whether a request failed; huggingface_hub's versions differ in the client whose errors
    they let through."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _CLIENTS


_CLIENTS: Final = ("httpx", "httpx2", "requests")


def _download(settings: DatasetSettings) -> list[Path]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RevisionNotFoundError

    seen: list[str] = []
    for revision in ("main", _CONVERTED):
        try:
            names, folder = _names(settings, revision)
        except RevisionNotFoundError:
            if revision == "main":
                raise
            break
        seen += names
        chosen = _choose(names, settings)
        if chosen and folder is None:
            fetched = snapshot_download(
                settings.hub, repo_type="dataset", revision=revision, allow_patterns=chosen
            )
            folder = Path(fetched)
        if chosen and folder is not None:
            return [folder / name for name in chosen]
    listed = ", ".join(name for name in seen if is_data(PurePosixPath(name)))[:300]
    raise DataError(
        f"Which files of {settings.hub} are meant?",
        f"It has {listed or 'no data files that can be read'}.",
        "Give `split` (the beginning of a file's name) and `config` (its folder).",
    )


def _names(settings: DatasetSettings, revision: str) -> tuple[list[str], Path | None]:
    """The files of a revision; without a network those that are here, and their folder."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        info = HfApi().dataset_info(settings.hub, revision=revision, timeout=_PATIENCE_S)
        return [file.rfilename for file in info.siblings or ()], None
    except Exception as unreachable:
        if isinstance(unreachable, HfHubHTTPError) or not _is_of_the_network(unreachable):
            raise
        folder = _held(settings.hub, revision)
        if folder is None:
            raise
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path.relative_to(folder).as_posix() for path in files], folder


def _held(name: str, revision: str) -> Path | None:
    """Where the hub's cache keeps what was fetched of a revision."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return None
    return next(
        (
            held.snapshot_path
            for repo in repos
            if repo.repo_type == "dataset" and repo.repo_id == name
            for held in repo.revisions
            if revision in held.refs
        ),
        None,
    )


def _choose(names: list[str], settings: DatasetSettings) -> list[str]:
    """The data files of one config and split; Parquet first, as it has the images inside."""
    data = sorted(name for name in names if is_data(PurePosixPath(name)))
    if settings.config:
        data = [name for name in data if settings.config in PurePosixPath(name).parts]
    # The converted branch has config/split/0000.parquet.
    folders = [name for name in data if settings.split in PurePosixPath(name).parts[:-1]]
    if settings.split and folders:
        return [name for name in folders if name.endswith(".parquet")] or folders
    return choose(data, settings.split, kinds=(2, 0, 1))
