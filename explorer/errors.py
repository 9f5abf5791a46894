"""Errors that are meant for people: what happened, what it means, what to do.

Every expected failure is an `ExplorerError`; the CLI prints it without a traceback and the TUI
shows it on screen. Anything else that escapes is a bug.
"""

from __future__ import annotations


class ExplorerError(Exception):
    """An expected failure.

    Args:
        title: what happened, one short sentence without a full stop.
        detail: what it means, or the facts that help (file, line, value).
        hint: what to do about it.
    """

    exit_code = 1

    def __init__(self, title: str, detail: str = "", hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.detail, self.hint) if part)


class UsageError(ExplorerError):
    """The command line or a filter expression cannot be understood."""

    exit_code = 2


class SettingsError(ExplorerError):
    """explorer.toml is missing, unreadable or wrong; the detail names the line."""

    exit_code = 3


class StoreError(ExplorerError):
    """The cache cannot be opened, read or written."""

    exit_code = 4


class DataError(ExplorerError):
    """A problem file or a recorded-completions file is malformed."""

    exit_code = 5


class EngineError(ExplorerError):
    """A model could not be loaded, or failed while it sampled or scored."""

    exit_code = 6


class MissingExtraError(ExplorerError):
    """A feature needs an optional dependency that is not installed."""

    exit_code = 7

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed",
            f"They come with the optional extra '{extra}'.",
            f"pip install 'rlvr-explorer[{extra}]'",
        )


class BusyError(ExplorerError):
    """Another process holds what is needed (one cache has one sampler)."""

    exit_code = 8
