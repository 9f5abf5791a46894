"""Published prompts and model pairs, as the data files that this package ships.

`templates/<name>.toml` is the body of a `[templates.<name>]` table; `presets/<name>.toml` is an
explorer.toml without its templates, its first line a comment that says what it is. Invariant:
`preset_text` gives a whole, valid explorer.toml that spells out every published template it
names, so that a later release cannot change the prompts (and so the arms) of a workspace.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from explorer.core.prompts import Template
from explorer.errors import SettingsError
from explorer.settings.toml_table import suggest

_HERE: Final = Path(__file__).parent

SPELLED_OUT: Final = "# --- Prompts, as published; change one and its completions are a new arm "
"""Begins the part that `preset_text` adds."""


def templates() -> dict[str, Template]:
    """Every published template, by name."""
    found = {}
    for path in sorted((_HERE / "templates").glob("*.toml")):
        found[path.stem] = Template(path.stem, **tomllib.loads(path.read_text(encoding="utf-8")))
    return found


def presets() -> dict[str, str]:
    """Name of each preset -> what it is, in a line."""
    found = {}
    for path in sorted((_HERE / "presets").glob("*.toml")):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        found[path.stem] = first.removeprefix("#").strip()
    return found


def preset_text(name: str) -> str:
    """A whole explorer.toml for a preset.

    Raises:
        SettingsError: there is no such preset.
    """
    known = presets()
    if name not in known:
        raise SettingsError(
            f"There is no preset '{name}'",
            "",
            f"{suggest(name, list(known)).capitalize()} `rlvr-explorer init --list-presets`",
        )
    body = (_HERE / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    parts = [body.rstrip("\n"), SPELLED_OUT + "-" * (98 - len(SPELLED_OUT))]
    for template in _named(tomllib.loads(body)):
        text = (_HERE / "templates" / f"{template}.toml").read_text(encoding="utf-8")
        parts.append(f"[templates.{template}]\n{text.rstrip()}")
    return "\n\n".join(parts) + "\n"


def _named(values: dict[str, dict[str, dict[str, str]]]) -> list[str]:
    """The templates that models and datasets of a preset name, each once."""
    tables = [*values.get("models", {}).values(), *values.get("datasets", {}).values()]
    return list(dict.fromkeys(table["template"] for table in tables if "template" in table))
