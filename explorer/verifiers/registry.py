"""Which verifiers exist, by name; each is imported when it is asked for.

Invariant: importing this module imports no verifier, and importing a verifier no computer
algebra. To add one: write a module with a class that keeps `verifiers.base.Verifier`, and add a
line to `_CLASSES`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from explorer.errors import SettingsError
from explorer.verifiers.base import Verifier

_CLASSES = {
    "math": ("explorer.verifiers.math", "MathVerifier"),
    "numeric": ("explorer.verifiers.numeric", "NumericVerifier"),
    "choice": ("explorer.verifiers.choice", "ChoiceVerifier"),
    "mathvision": ("explorer.verifiers.mathvision", "MathVisionVerifier"),
    "mathvista": ("explorer.verifiers.mathvista", "MathVistaVerifier"),
    "exact": ("explorer.verifiers.exact", "ExactVerifier"),
    "code": ("explorer.verifiers.code", "CodeVerifier"),
}


def names() -> tuple[str, ...]:
    """The verifiers that exist."""
    return tuple(_CLASSES)


@cache
def get(name: str) -> Verifier:
    """The verifier of that name.

    Raises:
        SettingsError: there is none.
    """
    if name not in _CLASSES:
        raise SettingsError(
            f"There is no verifier '{name}'",
            f"These exist: {', '.join(_CLASSES)}.",
            "Correct `verifier` in explorer.toml or in the problem file.",
        )
    module, class_name = _CLASSES[name]
    verifier: Verifier = getattr(import_module(module), class_name)()
    return verifier
