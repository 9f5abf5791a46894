"""Who says something in this workspace: named in explorer.toml, else the system's user and host."""

from __future__ import annotations

import getpass
import socket

from explorer.settings.records import Settings


def reviewer_of(settings: Settings) -> str:
    """The name that a person's reviews are kept under; never one that a judge could have."""
    from explorer.core.review import JUDGE_PREFIX

    name = settings.review.name or author_of(settings)
    return f"person {name}" if name.startswith(JUDGE_PREFIX) else name


def author_of(settings: Settings) -> str:
    """The name that overrides are kept under."""
    if settings.author:
        return settings.author
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname() or 'localhost'}"
