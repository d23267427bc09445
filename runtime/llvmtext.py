"""LLVM IR written as text: one `Module` of functions, each written by a `Builder`.

Text costs a fortieth of what llvmlite.ir's objects cost to make, and reads as what it is. A `Val` is an SSA name or a
literal with its LLVM type; every builder method appends one instruction and returns its `Val`:

    module = Module("demo")
    b = module.function("axpy", [("ptr", "x"), ("ptr", "y"), ("float", "a")])
    x, y, a = b.args
    with b.loop(0, 1024, 16) as i:
        xs = b.load(b.gep(x, i, "float"), "<16 x float>")
        b.store(b.fmul(xs, b.splat(a, 16)), b.gep(y, i, "float"))
    b.ret()
    text = str(module)
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple


class Val(NamedTuple):
    """An SSA value or a literal: its text in an instruction, and its LLVM type."""

    name: str
    type: str

    @property
    def lanes(self) -> int:
        """The number of vector lanes, 1 for a scalar."""
        return lanes_of(self.type)

    @property
    def element(self) -> str:
        """The scalar type: `float` for `<16 x float>` and for `float`."""
        return element_of(self.type)

    @property
    def literal(self) -> bool:
        """Whether the value is a constant written in place."""
        return not self.name.startswith("%")


Operand = Val | int


@functools.cache
def lanes_of(type_: str) -> int:
    return int(type_[1 : type_.index(" ")]) if type_.startswith("<") else 1


@functools.cache
def element_of(type_: str) -> str:
    return type_[type_.index("x ") + 2 : -1] if type_.startswith("<") else type_


def vector(element: str, lanes: int) -> str:
    """The LLVM type of `lanes` elements; the scalar type itself for one lane."""
    return f"<{lanes} x {element}>" if lanes > 1 else element


_SUFFIX = {"float": "f32", "double": "f64", "half": "f16"}
SIZEOF = {"half": 2, "float": 4, "double": 8, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "i1": 1, "ptr": 8}


@functools.cache
def suffix_of(type_: str) -> str:
    """The mangling of a type in an intrinsic's name: `v16f32`, `i64`."""
    element = element_of(type_)
    mangled = _SUFFIX.get(element, "p0" if element == "ptr" else element)
    return f"v{lanes_of(type_)}{mangled}" if type_.startswith("<") else mangled


def literal(value: float | int | bool, element: str) -> str:
    """The exact text of a scalar constant (floats as their bits, so no digit is lost)."""
    if element == "float":
        as_single = struct.unpack("<f", struct.pack("<f", value))[0] if abs(value) < 3.5e38 else value
        return f"0x{struct.unpack('<Q', struct.pack('<d', as_single))[0]:016X}"
    if element == "half":
        return f"0xH{struct.unpack('<H', struct.pack('<e', value))[0]:04X}"
    if element == "double":
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if element == "i1":
        return "true" if value else "false"
    return str(int(value))


def const(value: float | int | bool, type_: str) -> Val:
    """A constant; of a vector type, the same in every lane."""
    lanes = lanes_of(type_)
    text = literal(value, element_of(type_))
    if lanes == 1:
        return Val(text, type_)
    return Val(f"splat ({element_of(type_)} {text})", type_)


def const_vector(values: Sequence[float | int | bool], element: str) -> Val:
    """A vector constant with a value of its own in each lane."""
    body = ", ".join(f"{element} {literal(v, element)}" for v in values)
    return Val(f"<{body}>", vector(element, len(values)))


def mask(active: int, lanes: int) -> Val:
    """The `i1` vector whose first `active` lanes are true."""
    return const_vector([lane < active for lane in range(lanes)], "i1")


@functools.lru_cache(maxsize=4096)
def i64(value: int) -> Val:
    return Val(str(int(value)), "i64")


class Module:
    """A unit of compilation: functions, globals, and the declarations they turn out to need."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.functions: list[Builder] = []
        self.globals: list[str] = []
        self._declared: dict[str, str] = {}

    def function(
        self, name: str, args: Sequence[tuple[str, str]], ret: str = "void", *, internal: bool = False,
        noalias: bool = False, attributes: str = "nounwind",
    ) -> Builder:
        """Starts a function; `args` are (type, name) pairs. `noalias` marks every pointer argument so."""
        builder = Builder(self, name, args, ret, internal, noalias, attributes)
        self.functions.append(builder)
        return builder

    def declare(self, name: str, ret: str, args: Iterable[str]) -> None:
        if name not in self._declared:
            self._declared[name] = f"declare {ret} @{name}({', '.join(args)})"

    def constant_array(self, name: str, element: str, values: Sequence[float | int]) -> Val:
        """A private read-only table; returns its address."""
        body = ", ".join(f"{element} {literal(v, element)}" for v in values)
        self.globals.append(f"@{name} = private unnamed_addr constant [{len(values)} x {element}] [{body}], align 64")
        return Val(f"@{name}", "ptr")

    def constant_rows(self, name: str, rows: Sequence[Sequence[Val]]) -> Val:
        """A private read-only table of rows of the same types; returns its address."""
        type_ = f"{{ {', '.join(v.type for v in rows[0])} }}"
        body = ", ".join(f"{type_} {{ {', '.join(f'{v.type} {v.name}' for v in row)} }}" for row in rows)
        self.globals.append(f"@{name} = private unnamed_addr constant [{len(rows)} x {type_}] [{body}], align 64")
        return Val(f"@{name}", "ptr")

    def __str__(self) -> str:
        bodies = [str(f) for f in self.functions]
        defined = {f.name for f in self.functions}
        declared = [text for name, text in self._declared.items() if name not in defined]
        return "\n".join([f"; {self.name}", *self.globals, *declared, *bodies]) + "\n"


def _halves(lanes_on: Val) -> bool:
    """Whether a constant mask is that of a vector's lower half, or of half of that, or of half of that, and so on."""
    lanes = lanes_on.lanes
    return any(lanes_on == mask(lanes >> by, lanes) for by in range(1, lanes.bit_length()))


def _often(first: int, second: int) -> str:
    """Says of a branch how often it goes which way.

    Registers go to what runs often. Not told, LLVM takes a loop in a loop for running often, and the deepest one for
    running most: an epilogue's constants stayed in registers, and the accumulators of the sum before it did not.
    """
    return f', !prof !{{!"branch_weights", i32 {min(first, 1 << 30)}, i32 {second}}}'


class Builder:
    """Writes one function, instruction by instruction, into its current block."""

    def __init__(
        self, module: Module, name: str, args: Sequence[tuple[str, str]], ret: str, internal: bool, noalias: bool,
        attributes: str,
    ) -> None:
        self.module, self.name = module, name
        self.args = [Val(f"%{n}", t) for t, n in args]
        qualifier = {"ptr": "ptr noalias" if noalias else "ptr"}
        signature = ", ".join(f"{qualifier.get(t, t)} %{n}" for t, n in args)
        linkage = "internal " if internal else ""
        self._head = f"define {linkage}{ret} @{name}({signature}) {attributes} {{"
        self.lines: list[str] = ["entry:"]
        self._first: list[str] = []  # allocas and the like, kept apart so that they do not move the lines of open loops
        self._zeros: dict[str, Val] = {}  # by type
        self.block = "entry"
        self._count = 0

    def __str__(self) -> str:
        return "\n".join([self._head, self.lines[0], *self._first, *self.lines[1:], "}"])

    # Names, blocks and raw instructions

    def fresh(self, hint: str = "") -> str:
        self._count += 1
        return f"{hint or 'v'}{self._count}"

    def emit(self, type_: str, text: str) -> Val:
        """Appends `%new = text` and returns the new value, of type `type_`."""
        self._count += 1
        name = f"%v{self._count}"
        self.lines.append(f"  {name} = {text}")
        return Val(name, type_)

    def do(self, text: str) -> None:
        """Appends an instruction without a result."""
        self.lines.append(f"  {text}")

    def start(self, label: str) -> None:
        """Opens a block: what follows is written into it."""
        self.lines.append(f"{label}:")
        self.block = label

    def branch(self, label: str) -> None:
        self.do(f"br label %{label}")

    def branch_if(self, cond: Val, then: str, otherwise: str) -> None:
        self.do(f"br i1 {cond.name}, label %{then}, label %{otherwise}")

    def ret(self, value: Val | None = None) -> None:
        self.do(f"ret {value.type} {value.name}" if value else "ret void")

    # Arithmetic

    def binary(self, op: str, x: Val, y: Val) -> Val:
        return self.emit(x.type, f"{op} {x.type} {x.name}, {y.name}")

    def fadd(self, x: Val, y: Val) -> Val:
        return self.binary("fadd", x, y)

    def fsub(self, x: Val, y: Val) -> Val:
        return self.binary("fsub", x, y)

    def fmul(self, x: Val, y: Val) -> Val:
        return self.binary("fmul", x, y)

    def fdiv(self, x: Val, y: Val) -> Val:
        return self.binary("fdiv", x, y)

    def fneg(self, x: Val) -> Val:
        return self.emit(x.type, f"fneg {x.type} {x.name}")

    def fma(self, x: Val, y: Val, z: Val) -> Val:
        """x * y + z, rounded once."""
        return self.intrinsic("fma", z.type, x, y, z)

    def add(self, x: Val, y: Operand) -> Val:
        y = self._like(y, x)
        if x.literal and y.literal and x.type == "i64":
            return i64(int(x.name) + int(y.name))
        if y.name == "0":
            return x
        return y if x.name == "0" else self.binary("add", x, y)

    def sub(self, x: Val, y: Operand) -> Val:
        return self.binary("sub", x, self._like(y, x))

    def mul(self, x: Val, y: Operand) -> Val:
        y = self._like(y, x)
        if x.literal and y.literal and x.type == "i64":
            return i64(int(x.name) * int(y.name))
        if y.name == "1":
            return x
        return y if x.name == "1" else self.binary("mul", x, y)

    def int_op(self, op: str, x: Val, y: Operand) -> Val:
        """Any two-operand integer instruction: and, or, xor, shl, lshr, ashr, sdiv, srem, udiv, urem."""
        return self.binary(op, x, self._like(y, x))

    def icmp(self, predicate: str, x: Val, y: Operand) -> Val:
        y = self._like(y, x)
        return self.emit(vector("i1", x.lanes), f"icmp {predicate} {x.type} {x.name}, {y.name}")

    def fcmp(self, predicate: str, x: Val, y: Val) -> Val:
        return self.emit(vector("i1", x.lanes), f"fcmp {predicate} {x.type} {x.name}, {y.name}")

    def select(self, cond: Val, x: Val, y: Val) -> Val:
        if cond.literal and cond.lanes > 1 and y.element in ("float", "double"):
            y = self._hidden_zero(y.type) if y == const(0, y.type) and not _halves(cond) else y
        return self.emit(x.type, f"select {cond.type} {cond.name}, {x.type} {x.name}, {y.type} {y.name}")

    def _hidden_zero(self, type_: str) -> Val:
        """Zeros that code generation does not know to be zeros.

        A vector of which some lanes become zero it may make by expanding it (`vexpandpd`), which takes 35 cycles here.
        """
        if type_ not in self._zeros:
            lanes, integer = lanes_of(type_), {"float": "i32", "double": "i64"}[element_of(type_)]
            whole, zero = vector(integer, lanes), f"%{self.fresh('zero')}"
            self._first += [
                f'  {zero}.of = call {integer} asm "", "=r,0"({integer} 0)',
                f"  {zero}.in = insertelement {whole} poison, {integer} {zero}.of, i64 0",
                f"  {zero}.all = shufflevector {whole} {zero}.in, {whole} poison, <{lanes} x i32> zeroinitializer",
                f"  {zero} = bitcast {whole} {zero}.all to {type_}",
            ]
            self._zeros[type_] = Val(zero, type_)
        return self._zeros[type_]

    def convert(self, op: str, x: Val, element: str) -> Val:
        """A cast instruction (sitofp, fptosi, zext, sext, trunc, fpext, fptrunc, uitofp, bitcast), lane by lane."""
        to = vector(element, x.lanes)
        return self.emit(to, f"{op} {x.type} {x.name} to {to}")

    def bitcast(self, x: Val, type_: str) -> Val:
        return self.emit(type_, f"bitcast {x.type} {x.name} to {type_}")

    def intrinsic(self, name: str, ret: str, *args: Val, suffix: str | None = None) -> Val:
        """Calls `llvm.<name>.<suffix>`; the suffix is that of the result's type unless given."""
        full = f"llvm.{name}.{suffix_of(ret) if suffix is None else suffix}"
        return self.call(full, ret, *args)

    def call(self, name: str, ret: str, *args: Val) -> Val:
        self.module.declare(name, ret, (a.type for a in args))
        text = f"call {ret} @{name}({', '.join([f'{a.type} {a.name}' for a in args])})"
        if ret == "void":
            self.do(text)
            return Val("", "void")
        return self.emit(ret, text)

    # Vectors

    def splat(self, x: Val, lanes: int) -> Val:
        """The vector with `x` in every lane."""
        if lanes == 1:
            return x
        type_ = vector(x.type, lanes)
        if x.literal:
            return Val(f"splat ({x.type} {x.name})", type_)
        first = self.emit(type_, f"insertelement {type_} poison, {x.type} {x.name}, i64 0")
        return self.shuffle(first, first, [0] * lanes)

    def shuffle(self, x: Val, y: Val, lanes: Sequence[int]) -> Val:
        index = f"<{', '.join(f'i32 {lane}' for lane in lanes)}>" if any(lanes) else "zeroinitializer"
        second = "poison" if y == x else y.name
        return self.emit(
            vector(x.element, len(lanes)),
            f"shufflevector {x.type} {x.name}, {y.type} {second}, <{len(lanes)} x i32> {index}",
        )

    def transpose(self, rows: Sequence[Val]) -> list[Val]:
        """The columns of some rows, which have as many lanes as there are rows, or fewer: powers of two, at least 4."""
        out, wide = list(rows), rows[0].lanes
        if wide < len(out) or (wide > 4 and SIZEOF[rows[0].element] == 4):
            return self._transpose_in_fours(out)
        step = wide // 2  # by exchanging ever smaller blocks
        while step:
            for i in (i for i in range(len(out)) if not i & step):
                upper = [lane if not lane & step else len(out) + lane - step for lane in range(len(out))]
                lower = [lane + step if not lane & step else len(out) + lane for lane in range(len(out))]
                x, y = out[i], out[i + step]
                out[i], out[i + step] = self.shuffle(x, y, upper), self.shuffle(x, y, lower)
            step //= 2
        return out

    def _transpose_in_fours(self, rows: list[Val]) -> list[Val]:
        """By what one instruction does to two vectors, with no register to say how: four lanes, then fours of lanes."""
        lanes, wide = len(rows), rows[0].lanes

        def mixed(x: Val, y: Val, pick: Sequence[int]) -> Val:
            """Within each four of lanes: those of x are 0 to 3, of y 4 to 7."""
            return self.shuffle(x, y, [g + p % 4 + p // 4 * lanes for g in range(0, lanes, 4) for p in pick])

        def every_other(x: Val, y: Val, first: int) -> Val:
            """Every second four of lanes, of x and then of y."""
            return self.shuffle(x, y, [g + lane for g in range(4 * first, 2 * lanes, 8) for lane in range(4)])

        fours: list[list[Val]] = []  # four columns each, of every four of lanes, for so many rows
        for top in range(0, lanes, 4 * (lanes // wide)):
            a, b, c, d = (self._joined(rows[top + n : top + 4 * (lanes // wide) : 4]) for n in range(4))
            pairs = [(mixed(a, b, pick), mixed(c, d, pick)) for pick in ((0, 4, 1, 5), (2, 6, 3, 7))]
            fours.append([mixed(x, y, pick) for x, y in pairs for pick in ((0, 1, 4, 5), (2, 3, 6, 7))])
        out = rows[:wide]
        for j in range(4):
            left = {0: [four[j] for four in fours]}  # by the first of the fours that are left, which lie so far apart
            while len(left[0]) > 1:
                left = {
                    g + first * len(left): [every_other(x, y, first) for x, y in zip(v[::2], v[1::2], strict=True)]
                    for g, v in left.items() for first in (0, 1)
                }  # fmt: skip
            for g, (column,) in left.items():
                out[4 * g + j] = column
        return out

    def _joined(self, vectors: Sequence[Val]) -> Val:
        """One vector after the other."""
        while len(vectors) > 1:
            every = range(2 * vectors[0].lanes)
            vectors = [self.shuffle(x, y, every) for x, y in zip(vectors[::2], vectors[1::2], strict=True)]
        return vectors[0]

    def extract(self, x: Val, lane: Operand) -> Val:
        lane = self._like(lane, i64(0))
        return self.emit(x.element, f"extractelement {x.type} {x.name}, i64 {lane.name}")

    def insert(self, x: Val, item: Val, lane: Operand) -> Val:
        lane = self._like(lane, i64(0))
        return self.emit(x.type, f"insertelement {x.type} {x.name}, {item.type} {item.name}, i64 {lane.name}")

    # Memory: `align` in bytes; the element's own size unless given

    def gep(self, base: Val, index: Operand, element: str = "float") -> Val:
        """The address `index` elements after `base`."""
        if isinstance(index, int):
            index = i64(index)
        if index.name == "0":
            return base
        return self.emit("ptr", f"getelementptr {element}, ptr {base.name}, i64 {index.name}")

    def load(self, address: Val, type_: str, align: int | None = None) -> Val:
        return self.emit(type_, f"load {type_}, ptr {address.name}, align {align or SIZEOF[element_of(type_)]}")

    def store(self, value: Val, address: Val, align: int | None = None) -> None:
        self.do(f"store {value.type} {value.name}, ptr {address.name}, align {align or SIZEOF[value.element]}")

    def prefetch(self, address: Val, to_write: bool = False, near: bool = True) -> None:
        """Fetches the cache line of an address, to the first level or else the second; it need not exist."""
        kind = [("i32", str(int(to_write))), ("i32", "3" if near else "2"), ("i32", "1")]  # of data
        arguments = [(address.type, address.name), *kind]
        self.module.declare("llvm.prefetch.p0", "void", [type_ for type_, _ in arguments])
        self.do(f"call void @llvm.prefetch.p0({', '.join(f'{type_} {name}' for type_, name in arguments)})")

    def masked_load(self, address: Val, type_: str, lanes_on: Val, align: int | None = None) -> Val:
        """A vector load that reads only the lanes that are on; the others are zero."""
        align = align or SIZEOF[element_of(type_)]
        name = f"llvm.masked.load.{suffix_of(type_)}.p0"
        self.module.declare(name, type_, ["ptr", "i32", lanes_on.type, type_])
        return self.emit(
            type_,
            f"call {type_} @{name}(ptr {address.name}, i32 {align}, {lanes_on.type} {lanes_on.name}, "
            f"{type_} zeroinitializer)",
        )

    def masked_store(self, value: Val, address: Val, lanes_on: Val) -> None:
        """A vector store that writes only the lanes that are on."""
        align = SIZEOF[value.element]
        known = [flag == "i1 true" for flag in lanes_on.name.strip("<>").split(", ")] if lanes_on.literal else []
        if sum(known) == 1:  # by itself: where the value was wider before, LLVM 22 stores all of that
            lane = known.index(True)
            self.store(self.extract(value, lane), self.gep(address, lane, value.element) if lane else address)
            return
        name = f"llvm.masked.store.{suffix_of(value.type)}.p0"
        self.module.declare(name, "void", [value.type, "ptr", "i32", lanes_on.type])
        self.do(
            f"call void @{name}({value.type} {value.name}, ptr {address.name}, i32 {align}, "
            f"{lanes_on.type} {lanes_on.name})"
        )

    def alloca(self, element: str, count: int, align: int = 64) -> Val:
        """`count` elements on the stack, for the life of the call; written into the entry block."""
        name = f"%{self.fresh('stack')}"
        self._first.append(f"  {name} = alloca {element}, i64 {count}, align {align}")
        return Val(name, "ptr")

    # Control flow

    @contextmanager
    def loop(self, start: Operand, stop: Operand, step: int = 1) -> Iterator[Val]:
        """`for i in range(start, stop, step)`; yields `i` (i64). A loop known to be empty must not be asked for."""
        with self.loop_carrying(start, stop, [], step) as (index, _, _):
            yield index

    @contextmanager
    def loop_carrying(
        self, start: Operand, stop: Operand, initial: Sequence[Val], step: int = 1
    ) -> Iterator[tuple[Val, list[Val], list[Val]]]:
        """A loop with carried values: yields (index, values at the top, a list).

        The body must set the list (`out[:] = ...`) to the values at the bottom. After the loop the same list holds
        the values that are carried out (the initial ones where the loop ran zero times). The loop ends where its body
        does, as code generation leaves it as it is written: with a test at the top, what is carried lived in two
        blocks, and more of it was put aside in memory.
        """
        lo, hi = self._like(start, i64(0)), self._like(stop, i64(0))
        body, done, before = self.fresh("body"), self.fresh("done"), self.block
        runs = lo.literal and hi.literal and int(lo.name) < int(hi.name)
        if runs:
            self.branch(body)
        else:
            self.branch_if(self.emit("i1", f"icmp slt i64 {lo.name}, {hi.name}"), body, done)
        self.start(body)
        index = Val(f"%{self.fresh('i')}", "i64")
        at_phis = len(self.lines)
        carried = [Val(f"%{self.fresh('c')}", v.type) for v in initial]
        out = list(carried)
        yield index, carried, out
        following = self.emit("i64", f"add nsw i64 {index.name}, {step}")
        latch = self.block
        again = self.emit("i1", f"icmp slt i64 {following.name}, {hi.name}")
        often = _often(-(-(int(hi.name) - int(lo.name)) // step) - 1, 1) if runs else ""
        self.do(f"br i1 {again.name}, label %{body}, label %{done}{often}")
        tops = zip([index, *carried], [lo, *initial], [following, *out], strict=True)
        self.lines[at_phis:at_phis] = [self._phi(top, (first, before), (last, latch)) for top, first, last in tops]
        self.start(done)
        if not runs:
            ends = [Val(f"%{self.fresh('c')}", v.type) for v in initial]
            ways = zip(ends, initial, out, strict=True)
            self.lines += [self._phi(end, (first, before), (last, latch)) for end, first, last in ways]
            out[:] = ends

    def unless(self, rare: Val, usual: Sequence[Val], instead: Callable[[], Sequence[Val]]) -> list[Val]:
        """`usual`, or what `instead` writes where the scalar `rare` holds, which is taken for unlikely."""
        then, done, before = self.fresh("rare"), self.fresh("usual"), self.block
        self.do(f"br i1 {rare.name}, label %{then}, label %{done}{_often(0, 1000)}")
        self.start(then)
        others, last = instead(), self.block
        self.branch(done)
        self.start(done)
        made = [Val(f"%{self.fresh('c')}", v.type) for v in usual]
        ways = zip(made, usual, others, strict=True)
        self.lines += [self._phi(value, (x, before), (y, last)) for value, x, y in ways]
        return made

    def repeat(self, initial: Sequence[Val], body: Callable[[list[Val]], tuple[Val, Sequence[Val]]]) -> list[Val]:
        """What values become by `body`, once and as long as the scalar that it returns with them says so."""
        again, done, before = self.fresh("again"), self.fresh("done"), self.block
        self.branch(again)
        self.start(again)
        carried, at_phis = [Val(f"%{self.fresh('c')}", v.type) for v in initial], len(self.lines)
        more, following = body(carried)
        last = self.block
        self.branch_if(more, again, done)
        ways = zip(carried, initial, following, strict=True)
        self.lines[at_phis:at_phis] = [self._phi(top, (x, before), (y, last)) for top, x, y in ways]
        self.start(done)
        return list(following)

    def _phi(self, made: Val, *ways: tuple[Val, str]) -> str:
        """The instruction that makes a value of one for each block that control may come from."""
        return f"  {made.name} = phi {made.type} {', '.join(f'[ {x.name}, %{block} ]' for x, block in ways)}"

    @contextmanager
    def when(self, cond: Val, seldom: bool = False) -> Iterator[None]:
        """Runs the body only if the scalar `cond` holds, which it may be said to do `seldom`."""
        then, done = self.fresh("then"), self.fresh("endif")
        often = _often(0, 1000) if seldom else ""
        self.do(f"br i1 {cond.name}, label %{then}, label %{done}{often}")
        self.start(then)
        yield
        self.branch(done)
        self.start(done)

    def _like(self, value: Operand, other: Val) -> Val:
        if isinstance(value, int):
            return i64(value) if other.type == "i64" else const(value, other.type)
        return value
