"""explorer.toml -> `Settings`: found, parsed, checked, every path absolute.

Invariant: a `Settings` that leaves here is consistent (bases exist, templates and presets named
are there, numbers are in range); everything wrong with a file is reported at once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from explorer.core.arm import Sampling
from explorer.core.prompts import Template
from explorer.core.server_options import ServerOptions
from explorer.errors import SettingsError
from explorer.paths import SETTINGS_NAME, Workspace
from explorer.settings import IMAGE_METHODS, ModelSettings, Role, Settings, published
from explorer.settings.dataset_tables import dataset
from explorer.settings.records import UNPROTECTED
from explorer.settings.review_table import review
from explorer.settings.serving import (
    SERVING_KEYS,
    check_serving,
    key_variable,
    server_options,
    servers,
)
from explorer.settings.toml_table import Table, TomlFile, suggest

ENGINES: Final = ("transformers", "vllm")
"""What `engines.registry` can load; a test keeps the two equal."""

VERIFIERS: Final = ("math", "exact", "code", "choice", "mathvision", "mathvista", "numeric")
"""What `verifiers.registry` knows; a test keeps the two equal."""

DTYPES: Final = ("auto", "float32", "bfloat16", "float16")

PRESETS: Final = {
    "paper": Sampling(temperature=0.6, top_p=0.95, max_tokens=16384),
    "plain": Sampling(temperature=1.0),
}
"""Built-in sampling presets; `paper` is the protocol of arXiv 2504.13837, §2.3."""

TEMPLATES: Final = published.templates()
"""Built-in prompt templates, by name; their files and sources lie in `settings/templates`."""

_SECTIONS = (
    *("cache", "defaults", "display", "sampler", "recorded", "models", "datasets", "templates"),
    *("vllm", "verifiers", "review"),
)
_MODEL_KEYS = (
    *("role", "base", "algorithm", "source", "engine", "dtype", "device", "context"),
    *("batch_size", "template", "step", "rollouts", "listed", *SERVING_KEYS),
)
_MOST_TOKENS = 1_000_000
_MOST_SAMPLES = 100_000
_FIELD = re.compile(r"\{[a-z_][a-z0-9_]*\}")


def find(start: Path, explicit: Path | None = None) -> Path:
    """The explorer.toml to use: the given file or folder, or the nearest at or above `start`.

    Raises:
        SettingsError: there is none.
    """
    if explicit is not None:
        path = explicit.expanduser().resolve()
        path = path / SETTINGS_NAME if path.is_dir() else path
        if path.is_file() and path.name == SETTINGS_NAME:
            return path
        if path.is_file():
            raise SettingsError(
                f"A workspace's settings are called {SETTINGS_NAME}",
                f"{path} is not.",
                "Give each workspace a folder of its own.",
            )
        raise SettingsError(
            f"There is no {path.name} there", f"Looked for {path}.", "`rlvr-explorer init --at DIR`"
        )
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / SETTINGS_NAME).is_file():
            return folder / SETTINGS_NAME
    raise SettingsError(
        f"There is no {SETTINGS_NAME} here",
        f"Looked in {start} and the folders above it.",
        "`rlvr-explorer init` writes one; `rlvr-explorer demo` shows the bundled models.",
    )


def load(path: Path) -> Settings:
    """Read and check an explorer.toml.

    Raises:
        SettingsError: with every mistake, its line and how to mend it.
    """
    path = path.resolve()
    file = TomlFile.read(path)
    root = path.parent
    file.table((), (*_SECTIONS, "presets"))
    cache = file.table(("cache",), ("path",))
    display = file.table(("display",), ("images",))
    defaults = file.table(("defaults",), ("preset", "n", "seed", "author"))
    sampler = file.table(("sampler",), ("idle_exit_s", "memory_gb", "server_idle_s"))
    recorded = file.table(("recorded",), ("files",))
    templates = _templates(file)
    presets = _presets(file)
    preset = defaults.text("preset", "paper", presets)
    workspace = Workspace(root, _path(root, cache.text("path", "cache/explorer.db")))
    models = _models(file, root, templates)
    settings = Settings(
        workspace=workspace,
        models=models,
        datasets={
            name: dataset(file, name, root, workspace.cache, VERIFIERS, templates)
            for name in _names(file, "datasets")
        },
        templates=templates,
        presets=presets,
        default_preset=preset,
        default_n=defaults.integer("n", 64, 1, _MOST_SAMPLES),
        seed=defaults.integer("seed", 0, 0, 2**31 - 1),
        author=defaults.text("author").strip(),
        idle_exit_s=sampler.number("idle_exit_s", 600.0, 1, 30 * 86400),
        memory_gb=sampler.number("memory_gb", 0.0, 0, 1_000_000),
        server_idle_s=sampler.number("server_idle_s", 900.0, 10, 30 * 86400),
        recorded=tuple(_files(root, recorded.texts("files"))),
        images=display.text("images", "auto", IMAGE_METHODS),
        code_unprotected=_is_unprotected(file),
        review=review(file, models, presets, templates),
    )
    file.raise_mistakes()
    return settings


def _models(file: TomlFile, root: Path, templates: Collection[str]) -> dict[str, ModelSettings]:
    models: dict[str, ModelSettings] = {}
    tables: dict[str, Table] = {}
    server = server_options(file, ("vllm",), root, ServerOptions())
    for name in _names(file, "models"):
        tables[name] = file.table(("models", name), _MODEL_KEYS)
        models[name] = _model(tables[name], root, templates, server)
    for name, model in models.items():
        if tables[name].values.get("role") in {role.value for role in Role}:
            _check_base(tables[name], model, models)
    return models


def _model(
    table: Table, root: Path, templates: Collection[str], server: ServerOptions
) -> ModelSettings:
    role = table.needed("role", '"base", "rl" or "distilled"', [role.value for role in Role])
    urls = servers(table)
    engine = table.text("engine", "vllm" if urls else "transformers", ENGINES)
    check_serving(table, engine, urls)
    if urls:
        source = table.text("source")  # a name, even where a folder is called like it
    else:
        source = _source(root, table.needed("source", '"a folder or a hub name"'))
    return ModelSettings(
        name=table.at[-1],
        role=Role(role or "base"),
        source=source,
        base=table.text("base"),
        algorithm=table.text("algorithm"),
        engine=engine,
        dtype=table.text("dtype", "auto", DTYPES),
        device=table.text("device", "auto"),
        context=table.integer("context", 0, 0, _MOST_TOKENS),
        batch_size=table.integer("batch_size", 0, 0, 65536),
        template=table.text("template", "plain", templates),
        step=table.integer("step", 0, 0, 10**9),
        rollouts=table.integer("rollouts", 0, 0, 10**6),
        listed=table.flag("listed", True),
        urls=urls,
        api_key_env=key_variable(table, urls),
        adapter=_source(root, table.text("adapter")),
        server=server_options(table.file, (*table.at, "vllm"), root, server),
    )


def _check_base(table: Table, model: ModelSettings, models: Mapping[str, ModelSettings]) -> None:
    bases = [name for name, other in models.items() if other.role is Role.BASE]
    if model.role is Role.BASE:
        if model.base:
            table.wrong("base", "a base model has no base of its own", "remove this line")
    elif not model.base:
        example = bases[0] if bases else "<name of a base model>"
        table.wrong(
            "role", f"a model of role '{model.role}' must name its base", f'add base = "{example}"'
        )
    elif model.base not in models:
        table.wrong(
            "base", f'base = "{model.base}" is not a model here', suggest(model.base, bases)
        )
    elif model.base not in bases:
        table.wrong(
            "base",
            f"base = \"{model.base}\" has the role '{models[model.base].role}'",
            f"name a model of role 'base': {', '.join(bases) or 'there is none yet'}",
        )


def _templates(file: TomlFile) -> dict[str, Template]:
    templates = dict(TEMPLATES)
    for name in _names(file, "templates"):
        table = file.table(("templates", name), ("text", "chat", "system", "prefill"))
        template = Template(
            name=name,
            text=table.needed("text", '"{question}"'),
            chat=table.flag("chat"),
            system=table.text("system"),
            prefill=table.text("prefill"),
        )
        if template.text and not _FIELD.search(template.text):
            table.wrong("text", "text has no {question} in it", "put {question} where it belongs")
        for key in ("system", "prefill"):
            if table.has(key) and not template.chat:
                table.wrong(key, f"{key} needs a chat template", "add chat = true, or remove it")
        templates[name] = template
    return templates


def _presets(file: TomlFile) -> dict[str, Sampling]:
    presets = dict(PRESETS)
    for name in _names(file, "presets"):
        table = file.table(
            ("presets", name), ("temperature", "top_p", "top_k", "max_tokens", "stop")
        )
        presets[name] = Sampling(
            temperature=table.number("temperature", 1.0, 0, 5),
            top_p=table.number("top_p", 1.0, 0.01, 1),
            top_k=table.integer("top_k", 0, 0, _MOST_TOKENS),
            max_tokens=table.integer("max_tokens", 1024, 1, _MOST_TOKENS),
            stop=table.texts("stop"),
        )
    return presets


def _is_unprotected(file: TomlFile) -> bool:
    """Whether the person says in so many words that code may run without a sandbox."""
    key = "run_code_without_sandbox"
    table = file.table(("verifiers",), (key,))
    said = table.values.get(key, "no")
    if said not in ("no", UNPROTECTED):
        what = f'{key} must be "no" or say what it does, word for word'
        table.wrong(key, what, f'write {key} = "{UNPROTECTED}"')
    return bool(said == UNPROTECTED)


def _names(file: TomlFile, section: str) -> list[str]:
    names = file.names(section)
    for name in names:
        if not name.isprintable() or name != name.strip() or not 0 < len(name) <= 60:
            file.wrong(
                (section, name),
                f"{name!r} cannot be a name",
                "use 1 to 60 printable characters, no space at the ends",
            )
    return names


def _path(root: Path, text: str) -> Path:
    return (root / Path(text).expanduser()).resolve()


def _files(root: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """Each named file, and whatever matches a pattern such as `rollouts/*.jsonl`, by name."""
    for pattern in patterns:
        path = _path(root, pattern)
        if any(character in path.name for character in "*?["):
            yield from sorted(path.parent.glob(path.name))
        else:
            yield path


def _source(root: Path, text: str) -> str:
    """A folder becomes absolute; anything else is the name of a model on a hub."""
    looks_local = text.startswith((".", "/", "~"))
    folder = _path(root, text)
    return str(folder) if text and (looks_local or folder.is_dir()) else text
