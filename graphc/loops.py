"""The loop-nest IR: `Kernel`s of loops whose bodies are expressions (which `graphc.loop_builder` makes).

A `Value` says what one element is, as an expression over loop variables: loads, arithmetic, reductions with a variable
of their own. Equal expressions are one object. Where a value is computed (in which loop) follows from the variables it
depends on, so nothing needs to be moved out of loops later.

    kernel softmax(x: f32[320] , y: f32[320]) {
      for i in 0..32 {
        for j in 0..10 vector {
          y[10*i+j] = div(exp(sub(x[10*i+j], max k in 0..10 of x[10*i+k])), ...)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from graphc.dtype import DType
from graphc.index import Gathered, Ix, Quotient, Remainder, Var

if TYPE_CHECKING:
    from graphc.loop_builder import LoopBuilder


class Buffer:
    """Memory that kernels read and write: a name, an element type and a number of elements.

    Attributes:
        whole, at: the buffer that it is the rest of, and from which element on; itself from 0, as a rule.
    """

    __slots__ = ("at", "dtype", "elements", "name", "whole")

    def __init__(self, name: str, dtype: DType, elements: int) -> None:
        self.name, self.dtype, self.elements = name, dtype, elements
        self.whole, self.at = self, 0

    def since(self, at: int) -> Buffer:
        """What is left of the buffer from an element on."""
        if not at:
            return self
        rest = Buffer(f"{self.name}+{at}", self.dtype, max(self.elements - at, 0))
        rest.whole, rest.at = self.whole, self.at + at
        return rest

    @property
    def nbytes(self) -> int:
        return self.elements * self.dtype.itemsize

    def __repr__(self) -> str:
        return self.name


class Value:
    """An expression; made by a `LoopBuilder`, which keeps equal ones the same object.

    Attributes:
        kind: `const`, `fn`, `cast`, `load`, `position`, `reduce`, `contract` or `given`.
        data: what belongs to the kind: the constant; the function's name; (buffer, address); the index; (kind, var);
            (vars, lanes); the name of what is given.
        args: operand expressions; of a load its guard, if it has one; of a contract the factors, then the condition
            under which a term exists, if there is one.
        deps: the loop variables it depends on (not those of its own reductions).
    """

    __slots__ = ("args", "b", "data", "deps", "dtype", "kind", "size")

    def __init__(
        self, b: LoopBuilder, kind: str, dtype: DType, data: tuple[Any, ...], args: tuple[Value, ...],
        deps: frozenset[Var],
    ) -> None:
        self.b, self.kind, self.dtype, self.data, self.args, self.deps = b, kind, dtype, data, args, deps
        self.size: int = 1 + sum(a.size for a in args)

    def __add__(self, other: Value) -> Value:
        return self.b.fn("add", self, other)

    def __sub__(self, other: Value) -> Value:
        return self.b.fn("sub", self, other)

    def __mul__(self, other: Value) -> Value:
        return self.b.fn("mul", self, other)

    def __truediv__(self, other: Value) -> Value:
        return self.b.fn("div", self, other)

    def __neg__(self) -> Value:
        return self.b.fn("neg", self)

    def substitute(self, new: Mapping[Var, Ix]) -> Value:
        """The expression with loop variables replaced."""
        return self.b.substitute([self], new)[0]

    def __str__(self) -> str:
        return self.text({})

    def text(self, names: Mapping[Value, str]) -> str:
        """The expression, its parts that have a name by their name."""
        parts = [names.get(a) or a.text(names) for a in self.args]
        args = ", ".join(parts)
        if self.kind == "const":
            return f"{self.data[0]!r}"
        if self.kind == "load":
            return f"{self.data[0]}[{self.data[1]}]" + (f" if {args}" if args else "")
        if self.kind == "position":
            return f"({self.data[0]})"
        if self.kind == "reduce":
            kind, var = self.data
            return f"{kind} {var} in 0..{var.extent} of ({args})"
        if self.kind == "contract":
            loops = ", ".join(f"{v} in 0..{v.extent}" for v in self.data[0])
            return f"contract {loops} of ({parts[0]} * {parts[1]})" + "".join(f" where {p}" for p in parts[2:])
        if self.kind == "given":
            return str(self.data[0])
        name = self.data[0] if self.kind == "fn" else self.dtype.short
        return f"{name}({args})"


@dataclass(frozen=True, eq=False)
class Store:
    """`buffer[address] = value`, wherever the loops that they depend on go."""

    buffer: Buffer
    address: Ix
    value: Value

    def __str__(self) -> str:
        return f"{self.buffer}[{self.address}] = {self.value}"


@dataclass(frozen=True, eq=False)
class Kernel:
    """A loop nest.

    Attributes:
        loops: outermost first.
        vector: the loop whose iterations lie across a vector's lanes (the innermost), if any.
        stores: done once in the innermost loop, for every index.
        folded: the innermost loop, or the one around the vector, if what is reduced in sixteen of its steps is folded
            at once.
    """

    name: str
    loops: tuple[Var, ...]
    stores: tuple[Store, ...]
    vector: Var | None = None
    folded: Var | None = None

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The buffers loaded from, in the order of their first load."""
        return _loaded(self.values)

    @property
    def writes(self) -> tuple[Buffer, ...]:
        return _stored(self.stores)

    @cached_property
    def values(self) -> tuple[Value, ...]:
        """Every expression below the stores, operands first."""
        return tuple(all_values(s.value for s in self.stores))

    def __str__(self) -> str:
        lines, indent = [_heading(self)], "  "
        for var in self.loops:
            how = " vector" if var is self.vector else " folded" if var is self.folded else ""
            lines.append(f"{indent}for {var} in 0..{var.extent}{how} {{")
            indent += "  "
        lines += [f"{indent}{line}" for line in _store_lines(self.stores)]
        for depth in range(len(self.loops), 0, -1):
            lines.append("  " * depth + "}")
        return "\n".join([*lines, "}"])


@dataclass(frozen=True)
class Condition:
    """Which terms of a sum exist: 0 <= start + output_step * output + sum_step * summed < extent."""

    output: Var
    summed: Var
    output_step: int
    sum_step: int
    start: int
    extent: int

    def __str__(self) -> str:
        place = Ix.of(self.output) * self.output_step + Ix.of(self.summed) * self.sum_step + self.start
        return f"0 <= {place} < {self.extent}"


@dataclass(frozen=True, eq=False)
class TiledKernel:
    """A contraction in register tiles, with stores (its epilogue) that read its result as the value `acc`.

    Attributes:
        loops: the output's variables; each goes to the batch, row (m) or column (n) side by which operand it moves.
        summed: the contraction's own variables, outermost first.
        a, b: the operands: a load each; `b` lies across the vector's lanes.
        lanes: the variable across the lanes: one of b's columns, one that moves both operands, or the last summed one.
        tail: of sums across the lanes: a summed variable, and how many lanes count at its last value.
        inside: the terms that exist; others are left out of the sum (they would read beyond an operand's margin).
        masked: what a mask leaves whole blocks of out: "a", of which they are +0.0, or "acc", which is not taken there.
    """

    name: str
    loops: tuple[Var, ...]
    summed: tuple[Var, ...]
    a: Value
    b: Value
    acc: Value
    lanes: Var
    stores: tuple[Store, ...]
    tail: tuple[Var, int] | None = None
    inside: tuple[Condition, ...] = ()
    masked: str = ""

    @property
    def narrow(self) -> bool:
        """Whether the factors are narrow numbers, which are multiplied as they are, two terms at a time."""
        return self.a.dtype is not self.acc.dtype

    @property
    def reads(self) -> tuple[Buffer, ...]:
        return _loaded((self.a, self.b, *self.values))

    @property
    def writes(self) -> tuple[Buffer, ...]:
        return _stored(self.stores)

    @cached_property
    def values(self) -> tuple[Value, ...]:
        return tuple(all_values(s.value for s in self.stores))

    def __str__(self) -> str:
        loops = ", ".join(f"{v} in 0..{v.extent}{' vector' if v is self.lanes else ''}" for v in self.loops)
        summed = ", ".join(f"{v} in 0..{v.extent}{' vector' if v is self.lanes else ''}" for v in self.summed)
        return "\n".join([
            _heading(self),
            f"  tile {loops} {{",
            f"    acc = contract {summed} of ({self.a} * {self.b})"
            + "".join(f" where {condition}" for condition in self.inside)
            + f" masked {self.masked}" * bool(self.masked),
            *(f"    {line}" for line in _store_lines(self.stores)),
            "  }",
            "}",
        ])  # fmt: skip


class Stride(NamedTuple):
    """How a kernel's units of work step through its outermost loops, which are taken as one.

    Attributes:
        loops: outermost first; none where units step through no loops of their own.
        steps, each: so many steps are made by so many units.
        units: all that the kernel has.
    """

    loops: tuple[Var, ...]
    steps: int
    each: int
    units: int

    @property
    def extent(self) -> int:
        """How many steps the loops have together."""
        return prod(var.extent for var in self.loops)

    @property
    def longer(self) -> Stride:
        """The same units as steps of the loops but the innermost."""
        loops = self.loops[:-1]
        return Stride(loops, 1, self.units // prod(var.extent for var in loops), self.units)


def _loaded(values: Iterable[Value]) -> tuple[Buffer, ...]:
    return tuple(dict.fromkeys(value.data[0] for value in values if value.kind == "load"))


def _stored(stores: Sequence[Store]) -> tuple[Buffer, ...]:
    return tuple(dict.fromkeys(store.buffer for store in stores))


def _heading(kernel: Kernel | TiledKernel) -> str:
    buffers = dict.fromkeys((*kernel.reads, *kernel.writes))
    return f"kernel {kernel.name}({', '.join(f'{b}: {b.dtype.short}[{b.elements}]' for b in buffers)}) {{"


def _store_lines(stores: Sequence[Store]) -> list[str]:
    """The stores; where written out they would be long, with names for what is used several times."""
    names: dict[Value, str] = {}
    lines: list[str] = []
    if sum(store.value.size for store in stores) > LONGEST:
        uses: dict[Value, int] = {}
        values = list(all_values([store.value for store in stores]))
        for arg in (a for value in values for a in value.args):
            uses[arg] = uses.get(arg, 0) + 1
        for value in values:
            if uses.get(value, 0) > 1 and value.args:
                lines.append(f"t{len(names)} = {value.text(names)}")
                names[value] = f"t{len(names)}"
    return [*lines, *(f"{s.buffer}[{s.address}] = {names.get(s.value) or s.value.text(names)}" for s in stores)]


LONGEST = 200
"""How many values the text of a kernel's stores may have before those that are shared are named."""


def all_values(roots: Iterator[Value] | Sequence[Value]) -> Iterator[Value]:
    """Every expression below the roots, operands first, each once."""
    seen: set[Value] = set()
    for root in roots:
        stack = [(root, operands_of(root))] if root not in seen else []  # a stack of its own: expressions may be deep
        seen.add(root)
        while stack:
            value, rest = stack[-1]
            for inner in rest:
                if inner not in seen:
                    seen.add(inner)
                    stack.append((inner, operands_of(inner)))
                    break
            else:
                stack.pop()
                yield value


def operands_of(value: Value) -> Iterator[Value]:
    """What the value is made of: its operands, and the indices that it reads from memory."""
    if value.kind in ("load", "position"):
        return chain(value.args, _gathered_values(value.data[-1]))
    return iter(value.args)


def _gathered_values(ix: Ix) -> Iterator[Value]:
    for atom, _ in ix.terms:
        if isinstance(atom, Gathered):
            yield atom.value
            if atom.guard is not None:
                yield atom.guard
        elif not isinstance(atom, Var):
            yield from _gathered_values(atom.of)


def structure(kernel: Kernel | TiledKernel) -> Hashable | None:
    """The same for kernels that do the same to other buffers; None where that is not known (indices read from memory).

    Variables, buffers and values are told by the order in which the kernel comes to them.
    """
    if gathers(kernel):
        return None
    told = _Told()
    parts: list[Hashable] = [kernel.name, type(kernel).__name__, *map(told.datum, kernel.loops)]
    roots = [store.value for store in kernel.stores]
    if isinstance(kernel, TiledKernel):
        roots = [kernel.a, kernel.b, *roots]
        parts += [told.datum(kernel.summed), told.datum(kernel.lanes), told.datum(kernel.tail)]
        parts += [
            told.datum((c.output, c.summed, c.output_step, c.sum_step, c.start, c.extent)) for c in kernel.inside
        ]
    else:
        parts += [told.datum(kernel.vector), told.datum(kernel.folded)]
    for value in all_values(roots):
        parts.append((value.kind, value.dtype.short, told.datum(value.data), told.datum(value.args)))
        told.number(value)
    parts += [told.datum(root) for root in roots]
    parts += [told.datum((store.buffer, store.address)) for store in kernel.stores]
    return tuple(parts)


def exact(datum: Any) -> Any:
    """A key that tells 0.0 from -0.0, True from 1 and NaNs alike."""
    return (type(datum).__name__, repr(datum)) if isinstance(datum, (bool, int, float)) else (
        tuple(map(exact, datum)) if isinstance(datum, tuple) else id(datum) if isinstance(datum, Var) else datum
    )


class _Told:
    """What kernels are made of, as numbers in the order of first mention, with what counts of it."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}

    def number(self, thing: Any) -> int:
        return self._numbers.setdefault(thing, len(self._numbers))

    def datum(self, thing: Any) -> Hashable:
        if isinstance(thing, Var):
            return self.number(thing), thing.extent
        if isinstance(thing, Buffer):
            return self.number(thing), thing.dtype.short
        if isinstance(thing, Value):
            return self.number(thing)
        if isinstance(thing, Ix):
            return thing.const, tuple((self.datum(atom), c) for atom, c in thing.terms)
        if isinstance(thing, (Quotient, Remainder)):
            return type(thing).__name__, thing.by, self.datum(thing.of)
        if isinstance(thing, frozenset):
            return tuple(sorted((self.number(var), var.extent) for var in thing))
        if isinstance(thing, tuple):
            return tuple(map(self.datum, thing))
        told: Hashable = exact(thing)
        return told


def accesses(kernel: Kernel | TiledKernel) -> Iterator[tuple[Buffer, Ix]]:
    """What the kernel reads and writes: the buffer and the address of every load, then of every store."""
    operands = (kernel.a, kernel.b) if isinstance(kernel, TiledKernel) else ()
    for value in all_values([*operands, *(store.value for store in kernel.stores)]):
        if value.kind == "load":
            yield value.data[0], value.data[1]
    for store in kernel.stores:
        yield store.buffer, store.address


def gathers(kernel: Kernel | TiledKernel) -> list[Gathered]:
    """The indices that the kernel reads from memory and checks."""
    return gathered(kernel.values)


def gathered(values: Iterable[Value]) -> list[Gathered]:
    """The indices that some values read from memory."""
    found: dict[Gathered, None] = {}

    def visit(ix: Ix) -> None:
        for atom, _ in ix.terms:
            if isinstance(atom, Gathered):
                found.setdefault(atom)
            elif not isinstance(atom, Var):
                visit(atom.of)

    for value in values:
        if value.kind in ("load", "position"):
            visit(value.data[-1])
    return list(found)
