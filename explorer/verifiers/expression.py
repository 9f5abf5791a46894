r"""A small reader of formulas, LaTeX or plain, for the second verifier only.

It exists so that the second opinion shares no parser with the first, whose reading is
math-verify's. Invariant: linear time and bounded depth; it never guesses, what it does not know
raises UnreadableError.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

Node = tuple[object, ...]
"""('num', Fraction) · ('var', name) · ('const', name) · (operator, Node, …)."""

LONGEST: Final = 1500
DEEPEST: Final = 40


class UnreadableError(ValueError):
    """The text is not a formula that this reader knows."""


_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*|\.\d+)|(?P<command>\\[A-Za-z]+)|(?P<letter>[A-Za-z])"
    r"|(?P<sign>\*\*|[-+*/^_(){}\[\]|!']|\\[{}|]))"
)
_GREEK: Final = frozenset(
    r"""\alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \vartheta \kappa \lambda
    \mu \nu \xi \rho \sigma \tau \phi \varphi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Omega
    \Phi \ell""".split()  # noqa: SIM905
)
_FUNCTIONS: Final = (
    "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "sin", "cos", "tan", "cot", "sec", "csc",
    "ln", "exp", "floor", "ceil",
)  # fmt: skip
_WORDS: Final = (*_FUNCTIONS, "sqrt", "log", "pi", "abs", "theta", "alpha", "beta", "lambda")
_BARE_WORD = re.compile(rf"(?<![A-Za-z\\])({'|'.join(_WORDS)})(?![A-Za-z])")
_TEXTED = re.compile(r"\\(?:mathrm|text|mathbf|operatorname|mathit)\s?\{\s?([A-Za-z]{1,6})\s?\}")
_SKIP: Final = frozenset({r"\limits", r"\displaystyle"})
_TIMES: Final = frozenset({"*", r"\cdot", r"\times", r"\ast"})
_OPENING: Final = {"(": ")", "[": "]", "{": "}", r"\lfloor": r"\rfloor", r"\lceil": r"\rceil"}


def read_formula(text: str) -> Node:
    """The formula that a cleaned text is.

    Raises:
        UnreadableError: it is none, or too long or deep.
    """
    if len(text) > LONGEST:
        raise UnreadableError("too long")
    reader = _Reader(_tokens(text))
    node = reader.sum_of_terms()
    if reader.here:
        raise UnreadableError(f"{reader.here} left over")
    return node


def _tokens(text: str) -> list[str]:
    text = _TEXTED.sub(r" \1 ", text)
    text = _BARE_WORD.sub(r" \\\1 ", text)
    if re.search(r"(?<![A-Za-z\\])[A-Za-z]{4,}", text):
        raise UnreadableError("words")
    tokens: list[str] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise UnreadableError(f"{text[place : place + 1]!r}")
        if match[0].strip() not in _SKIP:
            tokens.append(match[0].strip())
        place = match.end()
    return tokens


class _Reader:
    """Recursive descent: sums of products of powers."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.place = 0
        self.depth = 0

    @property
    def here(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self) -> str:
        token = self.here
        if not token:
            raise UnreadableError("ends too early")
        self.place += 1
        return token

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise UnreadableError(f"no {token}")

    def sum_of_terms(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise UnreadableError("too deep")
        sign = self.take() if self.here in ("+", "-") else "+"
        node = self.product()
        if sign == "-":
            node = ("neg", node)
        while self.here in ("+", "-"):
            operator = "add" if self.take() == "+" else "sub"
            node = (operator, node, self.product())
        if self.here == r"\over":
            self.take()
            node = ("div", node, self.sum_of_terms())
        self.depth -= 1
        return node

    def product(self) -> Node:
        node = self.factor()
        while True:
            if self.here in _TIMES:
                self.take()
                node = ("mul", node, self.signed())
            elif self.here in ("/", r"\div"):
                self.take()
                node = ("div", node, self.signed())
            elif self._starts_factor():
                node = self._juxtaposed(node)
            else:
                return node

    def _juxtaposed(self, node: Node) -> Node:
        """`2x` is a product; `4\\frac{4}{9}` is a mixed number."""
        follows = self.here
        after = self.factor()
        if follows[0].isdigit() or follows[0] == ".":
            raise UnreadableError("two numbers side by side")
        mixed = (
            follows in (r"\frac", r"\tfrac", r"\dfrac")
            and node[0] == "num"
            and after[0] == "div"
            and all(isinstance(part, tuple) and part[0] == "num" for part in after[1:])
        )
        return ("add" if mixed else "mul", node, after)

    def signed(self) -> Node:
        if self.here == "-":
            self.take()
            return ("neg", self.signed())
        if self.here == "+":
            self.take()
        return self.factor()

    def _starts_factor(self) -> bool:
        token = self.here
        if not token or token in (")", "]", "}", r"\rfloor", r"\rceil", r"\}", r"\over", r"\|"):
            return False
        return token[0].isalnum() or token[0] in ".(\\[{" or (token == "|" and not self._bars)

    _bars = 0

    def factor(self) -> Node:
        node = self.atom()
        while self.here in ("^", "**", "!", "'"):
            operator = self.take()
            if operator == "!":
                node = ("fact", node)
            elif operator == "'":
                raise UnreadableError("a prime")
            else:
                node = self._power(node)
        return node

    def _power(self, node: Node) -> Node:
        if self.here == r"\circ" or self.tokens[self.place : self.place + 2] == ["{", r"\circ"]:
            braced = self.take() == "{"
            if braced:
                self.take()
                self.expect("}")
            return ("deg", node)
        return ("pow", node, self.signed() if self.here == "-" else self.argument())

    def argument(self) -> Node:
        """What belongs to a command or power: one group, one digit or one letter."""
        if self.here == "{":
            return self.atom()
        token = self.here
        if len(token) > 1 and token.isdigit():  # \\frac12, but 2^10 as people type it
            previous = self.tokens[self.place - 1]
            if previous not in ("^", "**"):
                self.tokens[self.place : self.place + 1] = list(token)
        return self.atom()

    def atom(self) -> Node:
        token = self.take()
        if token[0].isdigit() or token[0] == ".":
            return ("num", Fraction(token if token != "." else "0"))
        if token in _OPENING:
            return self._group(token)
        if token == "|":
            return self._absolute()
        if token[0] == "\\":
            return self._command(token)
        if token.isalpha():
            return self._letter(token)
        raise UnreadableError(token)

    def _group(self, opening: str) -> Node:
        bars, self._bars = self._bars, 0
        node = self.sum_of_terms()
        self._bars = bars
        self.expect(_OPENING[opening])
        names = {r"\lfloor": "floor", r"\lceil": "ceil"}
        return ("fn", names[opening], node) if opening in names else node

    def _absolute(self) -> Node:
        self._bars += 1
        node = self.sum_of_terms()
        self._bars -= 1
        self.expect("|")
        return ("fn", "abs", node)

    def _letter(self, token: str) -> Node:
        if self.here == "_":
            return ("var", token + "_" + self._subscript())
        if token == "e":
            return ("const", "e")
        if token == "i":
            return ("const", "i")
        return ("var", token)

    def _subscript(self) -> str:
        self.expect("_")
        if self.here != "{":
            return self.take()
        name = ""
        self.take()
        while self.here != "}":
            name += self.take()
        self.take()
        return name

    def _command(self, token: str) -> Node:
        if token in (r"\frac", r"\dfrac", r"\tfrac"):
            top = self.argument()
            return ("div", top, self.argument())
        if token in (r"\binom", r"\dbinom", r"\tbinom"):
            top = self.argument()
            return ("binom", top, self.argument())
        if token == r"\sqrt":
            return self._root()
        if token == r"\pi":
            return ("const", "pi")
        if token in _GREEK:
            letter = self._letter(token)
            return letter if letter[0] == "var" else ("var", token)
        if token == r"\log":
            return self._logarithm()
        if token == r"\abs":
            return ("fn", "abs", self.atom())
        if token[1:] in _FUNCTIONS:
            return self._function(token[1:])
        if token == r"\lvert":
            node = self.sum_of_terms()
            self.expect(r"\rvert")
            return ("fn", "abs", node)
        raise UnreadableError(token)

    def _root(self) -> Node:
        degree: Node = ("num", Fraction(2))
        if self.here == "[":
            self.take()
            degree = self.sum_of_terms()
            self.expect("]")
        return ("root", degree, self.argument())

    def _logarithm(self) -> Node:
        base: Node | None = None
        if self.here == "_":
            self.take()
            base = self.argument()
        argument = self._applied()
        return ("fn", "log", argument) if base is None else ("log", base, argument)

    def _function(self, name: str) -> Node:
        power: Node | None = None
        if self.here == "^":
            self.take()
            power = self.argument()
        inverse = power == ("neg", ("num", Fraction(1)))
        applied: Node = ("fn", f"arc{name}" if inverse else name, self._applied())
        return applied if power is None or inverse else ("pow", applied, power)

    def _applied(self) -> Node:
        """`\\sin(x)` takes the group; `\\sin 2x` the product up to a sign or another function."""
        if self.here in ("(", "{", "["):
            return self.factor()
        node = self.signed()
        while self._starts_factor() and self.here[1:] not in (*_FUNCTIONS, "log"):
            if self.here in ("(", "[") or self.here in _TIMES:
                break
            node = ("mul", node, self.factor())
        return node
