"""How a model is served, read from explorer.toml: `url`, `api_key_env`, `adapter`, `vllm` tables.

Invariant: what is asked of vLLM is asked of a model that vLLM runs; a key never comes from the
file, and what looks like one is never repeated in a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from explorer.core.server_options import ServerOptions
from explorer.settings.toml_table import Table, TomlFile

SERVING_KEYS: Final = ("url", "api_key_env", "adapter", "vllm")
"""Keys of a model that say how it is served."""

SERVER_KEYS: Final = tuple(field.name for field in fields(ServerOptions))

_MOST_DEVICES = 4096
_MOST_TOKENS = 10_000_000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def server_options(
    file: TomlFile, at: tuple[str, ...], root: Path, default: ServerOptions
) -> ServerOptions:
    """A `vllm` table; what it does not say is as in `default`."""
    table = file.table(at, SERVER_KEYS)
    read: dict[str, Callable[[str], Any]] = {
        "python": lambda key: _python(table, key, root, default.python),
        "tensor_parallel": lambda key: table.integer(key, 1, 1, _MOST_DEVICES),
        "pipeline_parallel": lambda key: table.integer(key, 1, 1, _MOST_DEVICES),
        "data_parallel": lambda key: table.integer(key, 1, 1, _MOST_DEVICES),
        "gpu_memory_utilization": lambda key: table.number(key, 0.85, 0.01, 1),
        "memory_gb": lambda key: table.number(key, 0.0, 0, 1_000_000),
        "max_num_seqs": lambda key: table.integer(key, 0, 0, 1_000_000),
        "max_num_batched_tokens": lambda key: table.integer(key, 2048, 1, _MOST_TOKENS),
        "max_logprobs": lambda key: table.integer(key, 20, 1, 1_000_000),
        "prefix_caching": table.flag,
        "enforce_eager": table.flag,
        "sleep": table.flag,
        "extra_args": table.texts,
        "env": lambda key: _environment(table, key),
    }
    given = {key: read[key](key) for key in SERVER_KEYS if table.has(key)}
    return replace(default, **given)


def servers(table: Table) -> tuple[str, ...]:
    """`url = "…"` or `url = ["…", "…"]`, each without `/v1` and a slash at its end."""
    value = table.values.get("url", [])
    urls = (value,) if isinstance(value, str) else table.texts("url")
    return tuple(_server(table, url) for url in urls)


def key_variable(table: Table, urls: Collection[str]) -> str:
    """The name of the environment variable that holds the servers' key."""
    name = table.text("api_key_env")
    if name and not _VARIABLE.fullmatch(name):
        table.wrong(
            "api_key_env",
            "api_key_env must be the name of an environment variable, not the key itself",
            'api_key_env = "MY_VLLM_KEY", and set MY_VLLM_KEY where the sampler runs',
        )
        return ""
    if name and not urls:
        table.wrong(
            "api_key_env",
            "api_key_env belongs to a server that already runs",
            'add url = "http://host:8000", or remove this line',
        )
    return name


def check_serving(table: Table, engine: str, urls: Collection[str]) -> None:
    """Note what cannot be together."""
    if engine != "vllm":
        for key in SERVING_KEYS:
            if table.has(key):
                table.wrong(
                    key, f"{key} needs vLLM, and engine is '{engine}'", 'set engine = "vllm"'
                )
        return
    if urls and table.has("vllm"):
        table.wrong("vllm", "a server that already runs takes no [vllm] table", "remove it")
    if urls and table.has("adapter"):
        table.wrong(
            "adapter",
            "a server that already runs has loaded its adapters",
            "remove this line; name the adapter, as the server calls it, in source",
        )


def _server(table: Table, url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        table.wrong("url", "url is not the address of a server", 'url = "http://host:8000"')
        return url
    if parts.username or parts.password or parts.query or parts.fragment:
        table.wrong(
            "url",
            "url must be scheme, host and port alone, without a name, key or question mark",
            "keys come from the environment: see api_key_env",
        )
        return ""
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def _python(table: Table, key: str, root: Path, default: str) -> str:
    """An interpreter: a path is made absolute, but a link is kept (it makes a venv a venv)."""
    text = table.text(key, default)
    return str(root / Path(text).expanduser()) if "/" in text else text


def _environment(table: Table, key: str) -> tuple[tuple[str, str], ...]:
    value = table.values[key]
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        table.wrong(key, f"{key} must be a table of texts", f'{key} = {{ NAME = "value" }}')
        return ()
    return tuple(value.items())
