"""Reading values out of a parsed TOML file so that every mistake is reported, with its line.

A reader never stops at the first mistake: it notes it, goes on with the default, and the caller
raises all of them at the end.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from explorer.errors import SettingsError
from explorer.settings.toml_lines import KeyPath, key_lines, line_of


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong, where, and how to mend it."""

    line: int
    what: str
    fix: str


@dataclass(slots=True)
class TomlFile:
    """A parsed file and the mistakes found in it so far."""

    path: Path
    values: Mapping[str, Any]
    lines: dict[KeyPath, int]
    mistakes: list[Mistake] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> TomlFile:
        """Parse a file.

        Raises:
            SettingsError: it cannot be read, or is not TOML.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{path.name} cannot be read", f"{path}: {error}", "`rlvr-explorer init` makes one."
            ) from error
        text = text.replace("\r\n", "\n")
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(
                f"{path.name} is not valid TOML",
                f"{path}: {error}.",
                "Text values stand in double quotes, and tables in [brackets].",
            ) from error
        return cls(path, values, key_lines(text))

    def wrong(self, at: KeyPath, what: str, fix: str) -> None:
        """Note a mistake at a key."""
        self.mistakes.append(Mistake(line_of(self.lines, at), what, fix))

    def raise_mistakes(self) -> None:
        """Raise one `SettingsError` that lists every mistake by line, if there are any."""
        if not self.mistakes:
            return
        ordered = sorted(self.mistakes, key=lambda mistake: mistake.line)
        count = "a mistake" if len(ordered) == 1 else f"{len(ordered)} mistakes"
        detail = "\n".join(
            f"{self.path}:{mistake.line}: {mistake.what}\n  fix: {mistake.fix}"
            for mistake in ordered
        )
        raise SettingsError(f"{self.path.name} has {count}", detail)

    def table(self, at: KeyPath, known: Collection[str]) -> Table:
        """The table at a path (empty if absent); its unknown keys are noted."""
        value = self._value(at)
        if not isinstance(value, dict):
            self.wrong(at, f"{dotted(at)} must be a table", f"write it as [{dotted(at)}]")
            value = {}
        for key in value:
            if key not in known:
                where = f"in [{dotted(at)}]" if at else "at the top of the file"
                self.wrong((*at, key), f"unknown key '{key}' {where}", suggest(key, known))
        return Table(self, at, value)

    def names(self, section: str) -> list[str]:
        """The names of the tables `[section.<name>]`, in file order."""
        value = self._value((section,))
        if not isinstance(value, dict):
            self.wrong((section,), f"{section} must be tables", f"write [{section}.<name>]")
            return []
        for name, table in value.items():
            if not isinstance(table, dict):
                at = (section, name)
                self.wrong(at, f"{dotted(at)} must be a table", f"write it as [{dotted(at)}]")
        return [name for name, table in value.items() if isinstance(table, dict)]

    def _value(self, at: KeyPath) -> Any:
        value: Any = self.values
        for key in at:
            value = value.get(key, {})
        return value


@dataclass(frozen=True, slots=True)
class Table:
    """One table; each getter checks its value and falls back on the default."""

    file: TomlFile
    at: KeyPath
    values: Mapping[str, Any]

    def has(self, key: str) -> bool:
        return key in self.values

    def wrong(self, key: str, what: str, fix: str) -> None:
        self.file.wrong((*self.at, key), f"[{dotted(self.at)}] {what}", fix)

    def text(self, key: str, default: str = "", choices: Collection[str] = ()) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str):
            self.wrong(key, f"{key} must be text, not {_kind(value)}", f'{key} = "{value}"')
            return default
        if choices and key in self.values and value not in choices:
            self.wrong(key, f'{key} = "{value}" is not known', suggest(value, choices))
            return default
        return value

    def needed(self, key: str, example: str, choices: Collection[str] = ()) -> str:
        """A text that must be given and not be empty."""
        if not self.values.get(key, ""):
            self.wrong(key, f"{key} is missing", f"add {key} = {example}")
            return ""
        return self.text(key, choices=choices)

    def number(self, key: str, default: float, low: float, high: float) -> float:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(key, f"{key} must be a number, not {_kind(value)}", f"{key} = {default:g}")
            return default
        if not low <= value <= high:
            self.wrong(key, f"{key} = {value:g} is out of range", f"give {low:g} to {high:g}")
            return default
        return float(value)

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(
                key, f"{key} must be a whole number, not {_kind(value)}", f"{key} = {default}"
            )
            return default
        if not low <= value <= high:
            self.wrong(key, f"{key} = {value} is out of range", f"give {low} to {high}")
            return default
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, f"{key} must be true or false, not {_kind(value)}", f"{key} = true")
            return default
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(key, f"{key} must be a list of texts", f'{key} = ["…"]')
            return ()
        return tuple(value)


def suggest(given: str, known: Collection[str]) -> str:
    """`did you mean 'x'?`, or the list of what there is."""
    close = get_close_matches(given, list(known), n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(known)}" if known else "there are none yet"


def dotted(at: KeyPath) -> str:
    """A key path as TOML writes it."""
    bare = [key if key.replace("-", "").replace("_", "").isalnum() else f'"{key}"' for key in at]
    return ".".join(bare)


def _kind(value: object) -> str:
    kinds = {bool: "true/false", str: "text", list: "a list", dict: "a table", float: "a fraction"}
    return kinds.get(type(value), f"{value}")
