"""A seccomp filter: system calls that no test program needs and that a limit cannot bound.

Memory made by `memfd_create` or System V calls counts against no limit of a process, and nested
namespaces, tracing and key rings are only of use to an attacker. Invariant: the filter denies
with an error code and never kills, so that a library that tries one of these goes on without.
"""

from __future__ import annotations

import platform
import struct
from typing import Final

_DENIED: Final = {
    # name: (x86_64, aarch64)
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
    "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "msgget": (68, 186),
    "mq_open": (240, 180), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "io_uring_setup": (425, 425),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsmount": (432, 432), "open_by_handle_at": (304, 265), "kexec_load": (246, 104),
    "init_module": (175, 105), "finit_module": (313, 273), "syslog": (103, 116),
    "personality": (135, 92), "mlock": (149, 228), "mlockall": (151, 230),
}  # fmt: skip
_CLONE3: Final = (435, 435)
_CLONE: Final = (56, 220)
_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_CLONE_NAMESPACES: Final = 0x7E020080
"""CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET} and CLONE_NEWTIME."""

_EPERM, _ENOSYS = 1, 38
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_X32: Final = 0x40000000


def program(machine: str = "") -> bytes:
    """The filter for bubblewrap's --seccomp; empty where the machine's numbers are not known."""
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return b""
    column, architecture = known
    code = [
        _line(_LOAD, 4),  # the architecture of the call
        _line(_EQUAL, architecture, 1, 0),
        _line(_RETURN, _ERRNO | _EPERM),
        _line(_LOAD, 0),  # the call's number
        _line(_GREATER_EQUAL, _X32, 0, 1),
        _line(_RETURN, _ERRNO | _ENOSYS),
        _line(_EQUAL, _CLONE3[column], 0, 1),  # its flags lie in memory; the C library falls back
        _line(_RETURN, _ERRNO | _ENOSYS),
    ]
    for numbers in _DENIED.values():
        code.append(_line(_EQUAL, numbers[column], 0, 1))
        code.append(_line(_RETURN, _ERRNO | _EPERM))
    code += [
        _line(_EQUAL, _CLONE[column], 0, 3),
        _line(_LOAD, 16),  # clone's flags
        _line(_ANY_SET, _CLONE_NAMESPACES, 0, 1),
        _line(_RETURN, _ERRNO | _EPERM),
        _line(_RETURN, _ALLOW),
    ]
    return b"".join(code)


def _line(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", operation, if_true, if_false, value)
