"""What the machine can do at most: multiply-adds in registers, and bytes to and from each level of memory.

    limits = measure_limits()
    limits.flops                        # of one core, per second
    limits.bandwidth(nbytes, "triad")   # bytes per second for data of that size

Both are measured by loops written in LLVM IR for this machine's vectors, on one core.
"""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.runtime import jit
from graphc.runtime.target import host
from graphc.tensor import aligned_empty

KINDS = {"read": (0, 1), "write": (1, 0), "copy": (1, 1), "triad": (1, 2)}
"""For each kind of traffic, how many arrays are written and how many are read."""

UNROLLED = 8


@dataclass(frozen=True)
class Limits:
    """The machine's limits.

    Attributes:
        flops: multiplications and additions per second, two to a fused multiply-add.
        levels: the sizes of data, in bytes, up to which each of `L1 L2 L3 DRAM` is what they come from.
        bytes_per_second: for each kind of traffic, that of each level, counting the bytes the program names.
    """

    flops: float
    levels: dict[str, float]
    bytes_per_second: dict[str, dict[str, float]]

    def level(self, nbytes: float) -> str:
        """The level of memory that data of so many bytes fit in."""
        return next(name for name, size in self.levels.items() if nbytes <= size)

    def bandwidth(self, nbytes: float, kind: str) -> float:
        """Bytes per second of a kind of traffic over data of so many bytes."""
        return self.bytes_per_second[kind][self.level(nbytes)]

    def seconds(self, flops: float, nbytes: float, kind: str = "triad") -> tuple[float, str]:
        """The least time that so much work can take, and which limit says so."""
        times = {"FMA": flops / self.flops, self.level(nbytes): nbytes / self.bandwidth(nbytes, kind)}
        binding = max(times, key=lambda name: times[name])
        return times[binding], binding


def measure_limits(seconds: float = 0.05) -> Limits:
    """Measures them, each over several samples of `seconds`."""
    target = host()
    names = ["fma", *KINDS]
    texts = [_fma_ir(target.lanes, target.registers), *(_traffic_ir(k, target.lanes) for k in KINDS)]
    native = jit.compile_text(texts, names)
    numbers = aligned_empty((4 * target.lanes,), np.dtype(np.float32))
    numbers[:] = 1e-3
    fma = native.function("fma", None, ctypes.c_int64, ctypes.c_void_p)
    chains = _chains(target.registers)
    flops = chains * UNROLLED * target.lanes * 2 / _seconds_each(lambda n: fma(n, numbers.ctypes.data), seconds)

    largest = 4 * max(target.l3, 32 << 20)
    sizes = {"L1": target.l1d * 3 // 4, "L2": target.l2 // 2, "L3": target.l3 // 4, "DRAM": largest}
    arrays = [aligned_empty((largest // 4,), np.dtype(np.float32)) for _ in range(3)]
    for array in arrays:
        array[:] = 1.0
    speeds: dict[str, dict[str, float]] = {}
    for kind, (writes, reads) in KINDS.items():
        function = native.function(kind, None, ctypes.c_int64, ctypes.c_int64, *(ctypes.c_void_p,) * 3)
        speeds[kind] = {}
        for level, size in sizes.items():
            step = UNROLLED * target.lanes
            count = max(size // 4 // (writes + reads) // step * step, step)
            call = _traffic(function, count, arrays)
            speeds[kind][level] = count * 4 * (writes + reads) / _seconds_each(call, seconds)
    ends = {"L1": float(target.l1d), "L2": float(target.l2), "L3": 0.75 * target.l3, "DRAM": float("inf")}
    return Limits(flops, ends, speeds)


def _traffic(function: Callable[..., Any], count: int, arrays: list[np.ndarray]) -> Callable[[int], Any]:
    addresses = [array.ctypes.data for array in arrays]
    return lambda rounds: function(rounds, count, *addresses)


def _seconds_each(call: Callable[[int], Any], seconds: float, samples: int = 9) -> float:
    """The median CPU time of one of the rounds that `call(rounds)` makes."""
    rounds = 1
    while True:
        start = time.thread_time()
        call(rounds)
        if time.thread_time() - start > seconds / 4:
            break
        rounds *= 2
    times = []
    for _ in range(samples):
        start = time.thread_time()
        call(rounds)
        times.append((time.thread_time() - start) / rounds)
    return statistics.median(times)


def _chains(registers: int) -> int:
    """Independent sums: enough to fill the pipelines, and two registers less than there are."""
    return min(registers - 4, 16)


def _fma_ir(lanes: int, registers: int) -> str:
    """`void fma(i64 n, ptr x)`: n rounds of `UNROLLED` multiply-adds in each of several chains."""
    vector, chains = f"<{lanes} x float>", _chains(registers)
    fma = f"@llvm.fma.v{lanes}f32"
    lines = [
        f"declare {vector} {fma}({vector}, {vector}, {vector})",
        "define void @fma(i64 %n, ptr %x) {", "entry:",
        f"  %a = load {vector}, ptr %x, align 64", "  br label %loop", "loop:",
        "  %i = phi i64 [ 0, %entry ], [ %next, %loop ]",
    ]  # fmt: skip
    for c in range(chains):
        lines.append(f"  %s{c}.0 = phi {vector} [ %a, %entry ], [ %s{c}.{UNROLLED}, %loop ]")
    for u in range(UNROLLED):
        for c in range(chains):
            lines.append(f"  %s{c}.{u + 1} = call {vector} {fma}({vector} %a, {vector} %a, {vector} %s{c}.{u})")
    lines += ["  %next = add i64 %i, 1", "  %more = icmp slt i64 %next, %n", "  br i1 %more, label %loop, label %done"]
    lines.append("done:")
    for c in range(1, chains):
        before = f"%s0.{UNROLLED}" if c == 1 else f"%t{c - 1}"
        lines.append(f"  %t{c} = fadd {vector} {before}, %s{c}.{UNROLLED}")
    lines += [f"  store {vector} %t{chains - 1}, ptr %x, align 64", "  ret void", "}"]
    return "\n".join(lines) + "\n"


def _traffic_ir(kind: str, lanes: int) -> str:
    """`void kind(i64 rounds, i64 n, ptr x, ptr y, ptr z)`: passes over n floats, x = ..., from y and z."""
    vector, fma, reads = f"<{lanes} x float>", f"@llvm.fma.v{lanes}f32", kind == "read"
    lines = [
        f"declare {vector} {fma}({vector}, {vector}, {vector})",
        f"define void @{kind}(i64 %rounds, i64 %n, ptr noalias %x, ptr noalias %y, ptr noalias %z) {{", "entry:",
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
    return "\n".join(lines) + "\n"
