"""What test code expects to find: read from its text, before anything runs.

Which names are the answer's decides what a program can influence. Invariant: no name of Python's
own, of the standard library or of the data set's helpers is ever taken from the answer, so that
an answer which redefines `len` or `math` fools nobody.
"""

from __future__ import annotations

import ast
import builtins
import sys
import warnings
from functools import lru_cache
from typing import Final, NamedTuple

_SHORT: Final = {"np": "numpy", "numpy": "numpy"}
_ENDINGS: Final = ("", "\n    pass\n", "\n        pass\n")
_OWN: Final = frozenset(vars(builtins)) | {"__name__", "__file__"}


class Prompt(NamedTuple):
    """A prompt's helpers (all but what is to be completed) and the name it begins to define."""

    helpers: str
    completes: str


class Needs(NamedTuple):
    """Names that tests read: modules by the name they go under, and what is the answer's."""

    modules: dict[str, str]
    answers: tuple[str, ...]
    has_check: bool


@lru_cache(maxsize=256)
def prompt_parts(prompt: str) -> Prompt:
    """Take a prompt apart; one that is no Python has neither part."""
    for ending in _ENDINGS:
        tree = parsed(prompt + ending)
        if tree is None or not tree.body:
            continue
        last = tree.body[-1]
        if not isinstance(last, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return Prompt(prompt, "")
        first = min([last.lineno, *(one.lineno for one in last.decorator_list)])
        return Prompt("\n".join(prompt.split("\n")[: first - 1]), last.name)
    return Prompt("", "")


def root(entry_point: str) -> str:
    """The name that an expression such as `Solution().solve` begins with."""
    return entry_point.partition(".")[0].partition("(")[0].strip()


@lru_cache(maxsize=256)
def needs(code: str, entry_point: str) -> Needs:
    """What a script of tests reads and does not define itself."""
    tree = parsed(code) or ast.Module([], [])
    modules: dict[str, str] = {}
    answers = [root(entry_point)] if entry_point else []
    for name, only_as_module in _loaded(tree).items():
        if name in answers or name in _OWN:
            continue
        if only_as_module and (name in sys.stdlib_module_names or name in _SHORT):
            modules[name] = _SHORT.get(name, name)
        else:
            answers.append(name)
    has_check = any(isinstance(one, ast.FunctionDef) and one.name == "check" for one in tree.body)
    return Needs(modules, tuple(answers), has_check and bool(entry_point))


def _loaded(tree: ast.Module) -> dict[str, bool]:
    """Every name that is read, and whether it is only read as a module is: `name.attribute`."""
    bases = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    loaded: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            loaded[node.id] = loaded.get(node.id, True) and id(node) in bases
    return loaded


def parsed(text: str) -> ast.Module | None:
    """The tree of a program, None if it is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
