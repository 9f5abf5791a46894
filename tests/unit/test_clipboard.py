"""OSC 52 in the forms that terminals, tmux and GNU screen take."""

from __future__ import annotations

from base64 import b64decode

from explorer.tui.clipboard import osc52

TEXT = "Δ +0.50 · [b] 漢\n" * 40


def payload(sequence: str) -> str:
    start = sequence.index("]52;c;") + len("]52;c;")
    return b64decode(sequence[start : sequence.index("\x07", start)]).decode()


def test_a_plain_terminal_gets_one_sequence() -> None:
    sequence = osc52(TEXT, {"TERM": "xterm-256color"})
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\x07")
    assert payload(sequence) == TEXT


def test_tmux_gets_both_forms_because_either_may_be_forbidden() -> None:
    sequence = osc52(TEXT, {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "screen-256color"})
    plain, _, wrapped = sequence.partition("\x1bPtmux;")
    assert payload(plain) == TEXT
    assert wrapped.startswith("\x1b\x1b]52;c;")
    assert wrapped.endswith("\x07\x1b\\")
    assert payload(wrapped) == TEXT


def test_gnu_screen_gets_pieces_short_enough_to_be_passed_on() -> None:
    sequence = osc52(TEXT, {"STY": "1.pts", "TERM": "screen"})
    pieces = [piece.removeprefix("\x1bP") for piece in sequence.split("\x1b\\") if piece]
    assert all(len(piece) < 768 for piece in pieces)
    assert payload("".join(pieces)) == TEXT


def test_lone_surrogates_do_not_stop_a_copy() -> None:
    assert osc52("a\ud800b", {}).startswith("\x1b]52;c;")
