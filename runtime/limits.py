"""What the machine can do at most: multiply-adds in registers, and bytes to and from each level of memory.

    limits = measured(threads=1)
    limits.flops                               # multiplications and additions per second
    limits.bandwidth(nbytes, "triad")          # bytes per second for data of that size
    limits.seconds(flops, nbytes, "triad")     # the least time of so much work, and which limit says so

Both are measured by loops written in LLVM IR for this machine's vectors, on one core or shared by the worker pool. A
limit is the best of several samples by the clock: whatever else runs on the machine only ever makes one longer.
"""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.arrays import aligned_empty
from graphc.runtime import jit, pool
from graphc.runtime.target import Target, host

KINDS = {"read": (0, 1), "write": (1, 0), "copy": (1, 1), "triad": (1, 2)}
"""For each kind of traffic, how many arrays are written and how many are read."""

UNROLLED = 8

LARGEST, SMALLEST = 256 << 20, 32 << 20
"""Bounds of the bytes by which main memory is measured, where four times the last cache is more or less than that."""

STAGGER = 1088
"""Bytes between the end of one array and the start of the next: where the low bits of addresses agree, a load waits for
a store to the other array. Copies from the first-level cache gained a factor of two by it."""


@dataclass(frozen=True)
class Limits:
    """The machine's limits.

    Attributes:
        threads: how many share the work.
        flops: multiplications and additions of float32 per second, two to a fused multiply-add.
        levels: the sizes of data, in bytes, up to which each of `L1 L2 L3 DRAM` is what they come from.
        bytes_per_second: for each kind of traffic, that of each level, counting the bytes the program names.
    """

    threads: int
    flops: float
    levels: dict[str, float]
    bytes_per_second: dict[str, dict[str, float]]

    def level(self, nbytes: float) -> str:
        """The level of memory that data of so many bytes fit in."""
        return next(name for name, size in self.levels.items() if nbytes <= size)

    def bandwidth(self, nbytes: float, kind: str) -> float:
        """Bytes per second of a kind of traffic over data of so many bytes."""
        return self.bytes_per_second[kind][self.level(nbytes)]

    def seconds(self, flops: float, nbytes: float, kind: str = "triad", itemsize: int = 4) -> tuple[float, str]:
        """The least time that so much work can take, and which limit says so: `FMA` or the level of memory.

        Args:
            flops: multiplications and additions of floats of `itemsize` bytes.
            nbytes: bytes read and written, of which `kind` says what part is written.
        """
        times = {
            "FMA": flops / (self.flops * 4 / itemsize), self.level(nbytes): nbytes / self.bandwidth(nbytes, kind)
        }  # fmt: skip
        binding = max(times, key=lambda name: times[name])
        return times[binding], binding

    def __str__(self) -> str:
        speeds = ", ".join(f"{level} {speed / 1e9:.0f}" for level, speed in self.bytes_per_second["triad"].items())
        return f"{self.threads} thread{'s' * (self.threads > 1)}: {self.flops / 1e9:.0f} GFLOP/s; {speeds} GB/s"


def traffic_kind(read: float, written: float) -> str:
    """The kind of traffic whose share of writes is nearest to that of so many bytes read and written."""
    share = written / max(read + written, 1)
    return min(KINDS, key=lambda kind: abs(KINDS[kind][0] / sum(KINDS[kind]) - share))


@functools.cache
def measured(threads: int = 1) -> Limits:
    """The limits of work that so many threads share, measured at the first call; it takes some tenths of a second."""
    return measure(threads, seconds=0.0004, samples=20)  # short ones: some then fall between other processes' turns


def measure(threads: int = 1, seconds: float = 0.05, samples: int = 9) -> Limits:
    """Measures the limits, each by the best of several samples of `seconds`."""
    before = pool.num_threads()
    if threads > before:
        pool.set_num_threads(threads)
    try:
        return _measure(host(), threads, seconds, samples)
    finally:
        if threads > before:
            pool.set_num_threads(before)


def _measure(target: Target, threads: int, seconds: float, samples: int) -> Limits:
    """One loop each, run by every thread on arrays of its own: it takes the threads' number as the unit of work."""
    texts = [_fma_ir(target.lanes, target.registers), *(_traffic_ir(kind, target.lanes) for kind in KINDS)]
    native = jit.compile_text(texts, ["limit_fma", *(f"limit_{kind}" for kind in KINDS)])
    share = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(pool.address())
    sizes = {
        "L1": threads * target.l1d * 3 // 4, "L2": threads * target.l2 // 2, "L3": target.l3 // 4,
        "DRAM": min(max(4 * target.l3, SMALLEST), LARGEST),
    }  # fmt: skip
    memory = aligned_empty((sizes["DRAM"] // 4 + STAGGER,), np.dtype(np.float32))
    memory[:] = 1e-3

    def best(loop: str, count: int, arrays: int) -> float:
        """Seconds of one round over `arrays` arrays of `count` floats for each thread."""
        apart = threads * count * 4 + STAGGER
        places = [memory.ctypes.data + min(k, arrays - 1) * apart for k in range(3)]
        address = native.address(loop)

        def call(rounds: int) -> None:
            arguments = (ctypes.c_int64 * 5)(rounds, count, *places)
            share(address, ctypes.addressof(arguments), threads)

        return _seconds_each(call, seconds, samples)

    step = UNROLLED * target.lanes
    products = threads * _chains(target.registers) * step
    speeds: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    first = best("limit_fma", step, 1)
    for kind, (writes, reads) in KINDS.items():
        arrays = writes + reads
        for level, size in sizes.items():
            count = max((size - 2 * STAGGER) // 4 // arrays // threads // step * step, step)
            speeds[kind][level] = threads * count * 4 * arrays / best(f"limit_{kind}", count, arrays)
    flops = products * 2 / min(first, best("limit_fma", step, 1))  # at two times, as a core's clock may change
    ends = {
        "L1": float(threads * target.l1d), "L2": float(threads * target.l2), "L3": 0.75 * target.l3,
        "DRAM": float("inf"),
    }  # fmt: skip
    return Limits(threads, flops, ends, speeds)


def _seconds_each(call: Callable[[int], Any], seconds: float, samples: int) -> float:
    """The least time, over the samples, of one of the rounds that `call(rounds)` makes."""

    def clock(rounds: int) -> float:
        start = time.perf_counter()
        call(rounds)
        return time.perf_counter() - start

    rounds = 1
    while (took := min(clock(rounds) for _ in range(3))) < seconds / 2:  # one alone may have met another process
        rounds = max(2 * rounds, min(int(rounds * seconds / took), 64 * rounds))
    best, end = took, time.perf_counter() + 2 * samples * seconds
    for _ in range(samples):
        best = min(best, clock(rounds))
        if time.perf_counter() > end:
            break
    return best / rounds


def _chains(registers: int) -> int:
    """Independent sums: enough to fill the pipelines, and two registers less than there are."""
    return min(registers - 4, 16)


_UNITS = """\
define void @limit_LOOP(ptr %args, i64 %begin, i64 %end) {
entry:
  %p.n = getelementptr i64, ptr %args, i64 1
  %p.x = getelementptr i64, ptr %args, i64 2
  %p.y = getelementptr i64, ptr %args, i64 3
  %p.z = getelementptr i64, ptr %args, i64 4
  %rounds = load i64, ptr %args
  %n = load i64, ptr %p.n
  %x0 = load ptr, ptr %p.x
  %y0 = load ptr, ptr %p.y
  %z0 = load ptr, ptr %p.z
  br label %unit
unit:
  %u = phi i64 [ %begin, %entry ], [ %next, %unit ]
  %at = mul i64 %u, %n
  %x = getelementptr float, ptr %x0, i64 %at
  %y = getelementptr float, ptr %y0, i64 %at
  %z = getelementptr float, ptr %z0, i64 %at
  call void @loop(i64 %rounds, i64 %n, ptr %x, ptr %y, ptr %z)
  %next = add i64 %u, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %unit, label %done
done:
  ret void
}
"""
"""The loop as the worker pool calls it: a unit of work is a part of `n` floats of each array."""


def _fma_ir(lanes: int, registers: int) -> str:
    """`void loop(i64 rounds, i64 n, ptr x, ...)`: rounds of `UNROLLED` multiply-adds in each of several chains."""
    vector, chains = f"<{lanes} x float>", _chains(registers)
    fma = f"@llvm.fma.v{lanes}f32"
    lines = [
        f"declare {vector} {fma}({vector}, {vector}, {vector})",
        "define internal void @loop(i64 %rounds, i64 %n, ptr %x, ptr %y, ptr %z) {", "entry:",
        f"  %a = load {vector}, ptr %x, align 64", "  br label %loop", "loop:",
        "  %i = phi i64 [ 0, %entry ], [ %next, %loop ]",
    ]  # fmt: skip
    for c in range(chains):
        lines.append(f"  %s{c}.0 = phi {vector} [ %a, %entry ], [ %s{c}.{UNROLLED}, %loop ]")
    for u in range(UNROLLED):
        for c in range(chains):
            lines.append(f"  %s{c}.{u + 1} = call {vector} {fma}({vector} %a, {vector} %a, {vector} %s{c}.{u})")
    lines += ["  %next = add i64 %i, 1", "  %more = icmp slt i64 %next, %rounds"]
    lines.append("  br i1 %more, label %loop, label %done")
    lines.append("done:")
    for c in range(1, chains):
        before = f"%s0.{UNROLLED}" if c == 1 else f"%t{c - 1}"
        lines.append(f"  %t{c} = fadd {vector} {before}, %s{c}.{UNROLLED}")
    lines += [f"  store {vector} %t{chains - 1}, ptr %x, align 64", "  ret void", "}"]
    return "\n".join([*lines, _UNITS.replace("LOOP", "fma")])


def _traffic_ir(kind: str, lanes: int) -> str:
    """`void loop(i64 rounds, i64 n, ptr x, ptr y, ptr z)`: passes over n floats, x = ..., from y and z."""
    vector, fma, reads = f"<{lanes} x float>", f"@llvm.fma.v{lanes}f32", kind == "read"
    lines = [
        f"declare {vector} {fma}({vector}, {vector}, {vector})",
        "define internal void @loop(i64 %rounds, i64 %n, ptr noalias %x, ptr noalias %y, ptr noalias %z) {", "entry:",
        "  br label %round", "round:", "  %r = phi i64 [ 0, %entry ], [ %r.next, %end ]", "  br label %loop", "loop:",
        "  %i = phi i64 [ 0, %round ], [ %i.next, %loop ]",
    ]  # fmt: skip
    if reads:
        lines += [f"  %s{u} = phi {vector} [ zeroinitializer, %round ], [ %t{u}, %loop ]" for u in range(UNROLLED)]
    for u in range(UNROLLED):
        lines.append(f"  %o{u} = add i64 %i, {u * lanes}")
        lines += [f"  %{p}{u} = getelementptr float, ptr %{p}, i64 %o{u}" for p in "xyz"]
        if kind != "write":
            lines.append(f"  %a{u} = load {vector}, ptr %y{u}, align {4 * lanes}")
        if kind == "triad":
            lines.append(f"  %b{u} = load {vector}, ptr %z{u}, align {4 * lanes}")
            lines.append(f"  %v{u} = call {vector} {fma}({vector} %a{u}, {vector} %a{u}, {vector} %b{u})")
        if reads:
            lines.append(f"  %t{u} = fadd {vector} %s{u}, %a{u}")
        else:
            value = {"write": "zeroinitializer", "copy": f"%a{u}", "triad": f"%v{u}"}[kind]
            lines.append(f"  store {vector} {value}, ptr %x{u}, align {4 * lanes}")
    lines += [
        f"  %i.next = add i64 %i, {UNROLLED * lanes}", "  %i.more = icmp slt i64 %i.next, %n",
        "  br i1 %i.more, label %loop, label %end", "end:",
    ]  # fmt: skip
    if reads:
        for u in range(1, UNROLLED):
            lines.append(f"  %w{u} = fadd {vector} {'%t0' if u == 1 else f'%w{u - 1}'}, %t{u}")
        lines.append(f"  store {vector} %w{UNROLLED - 1}, ptr %x, align {4 * lanes}")
    lines += [
        "  %r.next = add i64 %r, 1", "  %r.more = icmp slt i64 %r.next, %rounds",
        "  br i1 %r.more, label %round, label %done", "done:", "  ret void", "}",
    ]  # fmt: skip
    return "\n".join([*lines, _UNITS.replace("LOOP", kind)])
