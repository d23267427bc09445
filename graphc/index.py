"""Index expressions: integer formulas over loop variables, kept in a canonical form.

An `Ix` is a sum of atoms with integer coefficients and a constant. Atoms are loop variables, floor quotients and
remainders of other expressions, and values read from memory. Sums recombine what a reshape took apart, so that the
address of a reshaped, transposed or sliced element is again affine wherever it can be:

    t = Var("t", 12)
    (t // 4) * 4 + t % 4          # prints as t
    (t * 8 + 3) // 8              # prints as t
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from math import gcd
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from graphc.ir import Node
    from graphc.loops import Value

_serial = count()


class Var:
    """A loop variable: `0 <= var < extent`."""

    __slots__ = ("extent", "name", "serial")

    def __init__(self, name: str, extent: int) -> None:
        self.name, self.extent, self.serial = name, extent, next(_serial)

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Quotient:
    """`of // by`, rounded down."""

    of: Ix
    by: int

    def __str__(self) -> str:
        return f"({self.of})//{self.by}"


@dataclass(frozen=True, slots=True)
class Remainder:
    """`of % by`, never negative."""

    of: Ix
    by: int

    def __str__(self) -> str:
        return f"({self.of})%{self.by}"


@dataclass(frozen=True, slots=True)
class Gathered:
    """An index that is data: `value`, checked at run time to lie in [0, extent).

    `guard` says where it counts. For the error: `author` is the node whose lowering reads it, `position` its row-major
    place in the tensor of indices.
    """

    value: Value
    extent: int
    what: str
    guard: Value | None = None
    author: Node | None = field(default=None, compare=False)
    position: Ix | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"[{self.value}]"

    def substitute(self, new: Mapping[Var, Ix]) -> Gathered:
        """The index with variables replaced."""
        guard = self.guard.substitute(new) if self.guard is not None else None
        position = self.position.substitute(new) if self.position is not None else None
        return Gathered(self.value.substitute(new), self.extent, self.what, guard, self.author, position)


Atom = Var | Quotient | Remainder | Gathered
IxLike = Union["Ix", int]


def _order(atom: Atom) -> tuple[int, str]:
    return (0, f"{atom.serial:09d}") if isinstance(atom, Var) else (1, str(atom))


class Ix:
    """`const + sum(coefficient * atom)`; immutable, hashable, equal when the canonical forms are."""

    __slots__ = ("_hash", "_variables", "const", "terms")

    def __init__(self, terms: tuple[tuple[Atom, int], ...], const: int) -> None:
        self.terms, self.const = terms, const
        self._hash: int | None = None  # both are found when they are asked for, and kept
        self._variables: frozenset[Var] | None = None

    @staticmethod
    def of(value: IxLike | Atom) -> Ix:
        if isinstance(value, Ix):
            return value
        if isinstance(value, int):
            return Ix((), value)
        return Ix(((value, 1),), 0)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.terms, self.const))
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int):
            return not self.terms and self.const == other
        return isinstance(other, Ix) and self.const == other.const and self.terms == other.terms

    @property
    def constant(self) -> int | None:
        """The value, if it is the same at every index."""
        return None if self.terms else self.const

    def __add__(self, other: IxLike) -> Ix:
        other = Ix.of(other)
        if not other.terms:
            return Ix(self.terms, self.const + other.const) if other.const else self
        if not self.terms:
            return other + self.const
        terms: dict[Atom, int] = dict(self.terms)
        for atom, coefficient in other.terms:
            terms[atom] = terms.get(atom, 0) + coefficient
        return _canonical(terms, self.const + other.const)

    __radd__ = __add__

    def __mul__(self, factor: int) -> Ix:
        if isinstance(factor, Ix):
            if factor.terms:
                raise TypeError(f"index: product of two variable expressions, ({self}) * ({factor})")
            factor = factor.const
        if factor == 1:
            return self
        if factor == 0:
            return Ix((), 0)
        return Ix(tuple((atom, c * factor) for atom, c in self.terms), self.const * factor)

    __rmul__ = __mul__

    def __neg__(self) -> Ix:
        return self * -1

    def __sub__(self, other: IxLike) -> Ix:
        return self + Ix.of(other) * -1

    def __rsub__(self, other: IxLike) -> Ix:
        return Ix.of(other) + self * -1

    def __floordiv__(self, by: int) -> Ix:
        return self if by == 1 else _divide(self, by)[0]

    def __mod__(self, by: int) -> Ix:
        return Ix((), 0) if by == 1 else _divide(self, by)[1]

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest value, both possible as far as the form shows."""
        return _bounds(self)

    def coefficient(self, var: Var) -> int | None:
        """How much one step of `var` adds; None where that differs from step to step."""
        step = 0
        for atom, coefficient in self.terms:
            if atom is var:
                step = coefficient
            elif not isinstance(atom, Var) and var in variables_of(atom):
                return None
        return step

    def substitute(self, new: Mapping[Var, Ix]) -> Ix:
        """The expression with variables replaced, simplified again."""
        if self.variables.isdisjoint(new):
            return self
        terms: dict[Atom, int] = {}
        const = self.const
        for atom, coefficient in self.terms:
            replaced = _substitute(atom, new)
            const += coefficient * replaced.const
            for part, c in replaced.terms:
                terms[part] = terms.get(part, 0) + coefficient * c
        return _canonical(terms, const)

    @property
    def variables(self) -> frozenset[Var]:
        """The loop variables that the value depends on."""
        if self._variables is None:
            self._variables = frozenset().union(*(variables_of(atom) for atom, _ in self.terms))
        return self._variables

    def __str__(self) -> str:
        parts = [str(a) if c == 1 else f"{c}*{a}" for a, c in self.terms]
        if self.const or not parts:
            parts.append(str(self.const))
        return "+".join(parts).replace("+-", "-")

    __repr__ = __str__


def variables_of(atom: Atom) -> frozenset[Var]:
    """The loop variables that an atom depends on; of data that is read, those of the place where it is read."""
    if isinstance(atom, Var):
        return frozenset((atom,))
    if isinstance(atom, Gathered):
        return atom.value.deps | (atom.guard.deps if atom.guard is not None else frozenset())
    return atom.of.variables


def _substitute(atom: Atom, new: Mapping[Var, Ix]) -> Ix:
    if isinstance(atom, Var):
        return new[atom] if atom in new else Ix.of(atom)
    if isinstance(atom, Gathered):
        return Ix.of(atom.substitute(new))
    inner = atom.of.substitute(new)
    return inner // atom.by if isinstance(atom, Quotient) else inner % atom.by


@lru_cache(maxsize=100_000)
def _bounds(ix: Ix) -> tuple[int, int]:
    low = high = ix.const
    for atom, coefficient in ix.terms:
        lo, hi = _atom_bounds(atom)
        low += coefficient * (lo if coefficient > 0 else hi)
        high += coefficient * (hi if coefficient > 0 else lo)
    return low, high


def _atom_bounds(atom: Atom) -> tuple[int, int]:
    if isinstance(atom, (Var, Gathered)):
        return 0, max(atom.extent - 1, 0)
    if isinstance(atom, Remainder):
        return 0, atom.by - 1
    low, high = atom.of.bounds
    return low // atom.by, high // atom.by


def _age(term: tuple[Atom, int]) -> int:
    var = term[0]
    assert isinstance(var, Var)
    return var.serial


def _canonical(terms: dict[Atom, int], const: int) -> Ix:
    """Drops zeros, joins quotients with their remainders, and sorts."""
    terms = {atom: c for atom, c in terms.items() if c}
    if all(type(atom) is Var for atom in terms):  # most of them, and nothing to join
        return Ix(tuple(sorted(terms.items(), key=_age) if len(terms) > 1 else terms.items()), const)
    while (found := _joined(terms)) is not None:
        remainder, other, both = found
        factor = terms.pop(remainder)
        del terms[other]
        const += factor * both.const
        for atom, c in both.terms:
            terms[atom] = terms.get(atom, 0) + factor * c
        terms = {atom: c for atom, c in terms.items() if c}
    return Ix(tuple(sorted(terms.items(), key=lambda item: _order(item[0]))), const)


def _joined(terms: dict[Atom, int]) -> tuple[Remainder, Atom, Ix] | None:
    """A remainder, the term that completes it, and what both are together, over the remainder's factor."""
    for atom, c in terms.items():
        if isinstance(atom, Remainder):
            whole = Quotient(atom.of, atom.by)
            if terms.get(whole) == c * atom.by:  # d*(e//d) + e%d = e
                return atom, whole, atom.of
            for other, k in terms.items():  # d*((e//d)%m) + e%d = e%(d*m)
                if isinstance(other, Remainder) and k == c * atom.by and other.of == Ix.of(whole):
                    return atom, other, atom.of % (atom.by * other.by)
    return None


@lru_cache(maxsize=100_000)
def _divide(ix: Ix, by: int) -> tuple[Ix, Ix]:
    """Quotient and remainder: what is a multiple of `by` is split off first, and the rest needs a form of its own."""
    whole = Ix(tuple((a, c // by) for a, c in ix.terms if c % by == 0), ix.const // by)
    rest = Ix(tuple((a, c) for a, c in ix.terms if c % by), ix.const % by)
    low, high = rest.bounds
    if low // by == high // by:
        return whole + low // by, rest - (low // by) * by
    shared = by
    for _, coefficient in rest.terms:
        shared = gcd(shared, coefficient)
    if shared > 1:  # (g*e + r) // (g*d) = e // d, with r < g the remainder's own
        inner = Ix(tuple((a, c // shared) for a, c in rest.terms), rest.const // shared)
        quotient, remainder = _divide(inner, by // shared)
        return whole + quotient, remainder * shared + rest.const % shared
    for g in sorted({gcd(by, coefficient) for _, coefficient in rest.terms} - {1}, reverse=True):
        near = Ix(tuple((a, c) for a, c in rest.terms if c % g), rest.const % g)
        if near.bounds[0] >= 0 and near.bounds[1] < g:  # (g*e + r) // (g*d) = e // d, and g*(e % d) + r is left
            inner = Ix(tuple((a, c // g) for a, c in rest.terms if c % g == 0), rest.const // g)
            quotient, remainder = _divide(inner, by // g)
            return whole + quotient, remainder * g + near
    if len(rest.terms) == 1 and rest.terms[0][1] == 1 and rest.const == 0:
        atom = rest.terms[0][0]
        if isinstance(atom, Quotient):  # (e//a)//b = e//(a*b); its remainder keeps the form that sums recombine
            return whole + _divide(atom.of, atom.by * by)[0], Ix.of(Remainder(rest, by))
        if isinstance(atom, Remainder) and atom.by % by == 0:  # (e%(a*b))//b = (e//b)%a, (e%(a*b))%b = e%b
            quotient, remainder = _divide(atom.of, by)
            return whole + quotient % (atom.by // by), remainder
    return whole + Ix.of(Quotient(rest, by)), Ix.of(Remainder(rest, by))
