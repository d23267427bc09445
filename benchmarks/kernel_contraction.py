"""Contractions alone, one thread, against PyTorch: dense layers, large products, convolutions in all three directions.

    taskset -c 1 python benchmarks/kernel_contraction.py [--only lenet] [--lanes 8] [--plans]

Both run in this process, in turn, and are timed by the CPU time of the thread; a row shows medians. Our kernels are
called from a native loop, PyTorch from Python, as its users do. Without PyTorch only our own column is filled.

Layouts: "feature" is [features][batch], "row" is [batch][features]; small convolutions are in blocks of 16 images
([N / 16, H, W, C, 16]), wide ones have their channels last. Terms in the padding are left out, and do not count.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np

from graphc.runtime import jit
from graphc.runtime.contraction import Contraction, Dim, Inside, plan, units
from graphc.runtime.contraction_emit import emit
from graphc.runtime.llvmtext import Builder, Module, Val, i64, mask
from graphc.runtime.target import host

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

Repeat = Callable[[int], None]
"""Runs something so many times."""


@dataclass
class Case:
    """One contraction, where coordinate zero of its operands is, and PyTorch's ways to compute it."""

    name: str
    c: Contraction
    peers: list[Callable[[], object]]
    a_zero: int = 0
    b_zero: int = 0


# Cases


def matmul(m: int, n: int, k: int, a: str, b: str) -> Contraction:
    (row, step), (down, along) = (k, 1) if a == "N" else (1, m), (n, 1) if b == "N" else (1, k)
    return Contraction(m=(Dim("i", m, row, 0),), n=(Dim("j", n, 0, along),), k=(Dim("k", k, step, down),), lanes="j")


def products() -> Iterator[Case]:
    def peer(m: int, n: int, k: int, a: str, b: str) -> list[Callable[[], object]]:
        if torch is None:
            return []
        x, y = torch.randn((m, k) if a == "N" else (k, m)), torch.randn((k, n) if b == "N" else (n, k))
        x, y, out = x if a == "N" else x.t(), y if b == "N" else y.t(), torch.empty(m, n)
        return [lambda: torch.mm(x, y, out=out)]

    batch = 64
    for o, i in ((512, 784), (512, 512), (10, 512)):
        shapes = {
            f"feature {o}x{i} forward": (o, batch, i, "N", "N"),
            f"feature {o}x{i} dX": (i, batch, o, "T", "N"),
            f"feature {o}x{i} dW": (o, i, batch, "N", "T"),
            f"row {o}x{i} forward": (batch, o, i, "N", "T"),
            f"row {o}x{i} dX": (batch, i, o, "N", "N"),
            f"row {o}x{i} dW": (o, i, batch, "T", "N"),
        }
        yield from (Case(name, matmul(*shape), peer(*shape)) for name, shape in shapes.items())
    for size in (512, 1024):
        for a in "NT":
            for b in "NT":
                yield Case(f"square {size} {a}{b}", matmul(size, size, size, a, b), peer(size, size, size, a, b))


def convolutions() -> Iterator[Case]:
    yield from blocked("lenet1", 32, 1, 6, 32, 5, 0)
    yield from blocked("lenet2", 32, 6, 16, 14, 5, 0)
    yield from blocked("cifar1", 64, 3, 6, 32, 5, 0)
    yield from blocked("cifar3", 32, 3, 32, 32, 3, 1)
    yield from channels_last("wide 64-64", 32, 64, 64, 32, 3, 1)
    yield from channels_last("wide 32-64", 256, 32, 64, 12, 5, 0)


def convolution_peers(n: int, ci: int, co: int, size: int, k: int, pad: int) -> dict[str, list[Callable[[], object]]]:
    """PyTorch's forward, gradient of the input and of the weights, in both of its layouts."""
    found: dict[str, list[Callable[[], object]]] = {"forward": [], "dX": [], "dW": []}
    if torch is None:
        return found
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(n, ci, size, size).contiguous(memory_format=layout)
        w = torch.randn(co, ci, k, k).contiguous(memory_format=layout)
        y = torch.nn.functional.conv2d(x, w, padding=pad).contiguous(memory_format=layout)

        found["forward"].append(partial(torch.nn.functional.conv2d, x, w, padding=pad))
        geometry = ([1, 1], [pad, pad], [1, 1], False, [0, 0], 1)
        backward = partial(torch.ops.aten.convolution_backward, y, x, w, None, *geometry)
        found["dX"].append(partial(backward, [True, False, False]))
        found["dW"].append(partial(backward, [False, True, False]))
    return found


def blocked(name: str, n: int, ci: int, co: int, size: int, k: int, pad: int) -> Iterator[Case]:
    """A convolution in blocks of 16 images, weights as [Co, Ci, K, K]."""
    peers, lanes, blocks = convolution_peers(n, ci, co, size, k, pad), 16, n // 16
    out, x, y = size + 2 * pad - k + 1, ci * lanes, co * lanes
    inside = [(o, s, 1, 1, -pad, size) for o, s in (("oh", "kh"), ("ow", "kw"))]
    forward = Contraction(
        m=(Dim("co", co, ci * k * k, 0),),
        n=(
            Dim("nb", blocks, 0, size * size * x), Dim("oh", out, 0, size * x), Dim("ow", out, 0, x),
            Dim("l", lanes, 0, 1),
        ),
        k=(Dim("ci", ci, k * k, lanes), Dim("kh", k, k, size * x), Dim("kw", k, 1, x)),
        lanes="l", inside=tuple(Inside(*some) for some in inside) if pad else (),
    )  # fmt: skip
    yield Case(f"{name} forward", forward, peers["forward"], 0, -pad * (size + 1) * x)
    to_input = Contraction(
        m=(Dim("ci", ci, k * k, 0),),
        n=(
            Dim("nb", blocks, 0, out * out * y), Dim("ih", size, 0, out * y), Dim("iw", size, 0, y),
            Dim("l", lanes, 0, 1),
        ),
        k=(Dim("co", co, ci * k * k, lanes), Dim("kh", k, k, -out * y), Dim("kw", k, 1, -y)),
        lanes="l", inside=(Inside("ih", "kh", 1, -1, pad, out), Inside("iw", "kw", 1, -1, pad, out)),
    )  # fmt: skip
    yield Case(f"{name} dX", to_input, peers["dX"], 0, pad * (out + 1) * y)
    to_weights = Contraction(
        m=(Dim("co", co, lanes, 0),),
        n=(Dim("ci", ci, 0, lanes), Dim("kh", k, 0, size * x), Dim("kw", k, 0, x)),
        k=(
            Dim("nb", blocks, out * out * y, size * size * x), Dim("oh", out, out * y, size * x),
            Dim("ow", out, y, x), Dim("l", lanes, 1, 1),
        ),
        lanes="l", inside=tuple(Inside(s, o, *rest) for o, s, *rest in inside) if pad else (),
    )  # fmt: skip
    yield Case(f"{name} dW", to_weights, peers["dW"], 0, -pad * (size + 1) * x)


def channels_last(name: str, n: int, ci: int, co: int, size: int, k: int, pad: int) -> Iterator[Case]:
    """A convolution with its channels last, weights as [K, K, Ci, Co] (their gradient's input: [K, K, Co, Ci])."""
    peers, out = convolution_peers(n, ci, co, size, k, pad), size + 2 * pad - k + 1
    inside = tuple(Inside(o, s, 1, 1, -pad, size) for o, s in (("oh", "kh"), ("ow", "kw"))) if pad else ()
    forward = Contraction(
        m=(Dim("n", n, size * size * ci, 0), Dim("oh", out, size * ci, 0), Dim("ow", out, ci, 0)),
        n=(Dim("co", co, 0, 1),),
        k=(Dim("kh", k, size * ci, k * ci * co), Dim("kw", k, ci, ci * co), Dim("ci", ci, 1, co)),
        lanes="co", inside=inside,
    )  # fmt: skip
    yield Case(f"{name} forward", forward, peers["forward"], -pad * (size + 1) * ci)
    to_input = Contraction(
        m=(Dim("n", n, out * out * co, 0), Dim("ih", size, out * co, 0), Dim("iw", size, co, 0)),
        n=(Dim("ci", ci, 0, 1),),
        k=(Dim("kh", k, -out * co, k * ci * co), Dim("kw", k, -co, ci * co), Dim("co", co, 1, ci)),
        lanes="ci", inside=(Inside("ih", "kh", 1, -1, pad, out), Inside("iw", "kw", 1, -1, pad, out)),
    )  # fmt: skip
    yield Case(f"{name} dX", to_input, peers["dX"], pad * (out + 1) * co)
    to_weights = Contraction(
        m=(Dim("kh", k, size * ci, 0), Dim("kw", k, ci, 0), Dim("ci", ci, 1, 0)),
        n=(Dim("co", co, 0, 1),),
        k=(Dim("n", n, size * size * ci, out * out * co), Dim("oh", out, size * ci, out * co), Dim("ow", out, ci, co)),
        lanes="co", inside=tuple(Inside(i.summed, i.output, *(1, 1, -pad, size)) for i in inside),
    )  # fmt: skip
    yield Case(f"{name} dW", to_weights, peers["dW"], -pad * (size + 1) * ci)


# Measuring


def result_strides(c: Contraction) -> tuple[dict[str, int], int]:
    """Row-major over the output dims, the lanes' last."""
    strides, size = {}, 1
    for d in sorted(c.outputs, key=lambda d: d.name != c.lanes):
        strides[d.name] = size
        size *= d.extent
    return strides, size


def kernel_text(c: Contraction, lanes: int) -> str:
    """The kernel that stores the result, and `repeat`, which calls it so many times."""
    module = Module("kernel_contraction")
    pointers = [("ptr", "a"), ("ptr", "b"), ("ptr", "c")]
    b = module.function("kernel", pointers, internal=True, attributes="nounwind noinline")
    a, bp, out = b.args
    strides, _ = result_strides(c)

    def finish(b: Builder, coords: dict[str, tuple[Val, int]], acc: Val, active: int, across: str) -> None:
        index = i64(0)
        for name, (base, constant) in coords.items():
            index = b.add(index, b.mul(b.add(base, constant), strides[name]))
        if active == acc.lanes:
            b.store(acc, b.gep(out, index))
        else:
            b.masked_store(acc, b.gep(out, index), mask(active, acc.lanes))

    emit(b, c, lanes, a, bp, finish, i64(0), i64(units(c, lanes)))
    b.ret()
    b = module.function("repeat", [("i64", "times"), *pointers])
    with b.loop(0, b.args[0]):
        b.call("kernel", "void", *b.args[1:])
    b.ret()
    return str(module)


def aligned(size: int) -> np.ndarray:
    """Numbers from the start of a cache line on, as the executables' buffers have them."""
    room = np.zeros(size + 16, np.float32)
    start = -room.ctypes.data // 4 % 16
    room[start : start + size] = np.random.default_rng(size).standard_normal(size)
    return room[start : start + size]


def ours(case: Case, lanes: int) -> Repeat:
    def operand(x: str, zero: int) -> tuple[np.ndarray, int]:
        reach = sum((d.extent - 1) * max(d.stride(x), 0) for d in case.c.outputs + case.c.k)
        data = aligned(reach + max(zero, 0) + 1)
        return data, data.ctypes.data + 4 * zero

    (a, a_zero), (b, b_zero) = operand("a", case.a_zero), operand("b", case.b_zero)
    out = aligned(result_strides(case.c)[1])
    native = jit.compile_text([kernel_text(case.c, lanes)], ["repeat"])
    run = native.function("repeat", None, ctypes.c_int64, *[ctypes.c_void_p] * 3)

    def repeat(times: int, keep: tuple[np.ndarray, ...] = (a, b, out)) -> None:
        run(times, a_zero, b_zero, keep[2].ctypes.data)

    return repeat


def repeating(call: Callable[[], object]) -> Repeat:
    def repeat(times: int) -> None:
        for _ in range(times):
            call()

    return repeat


def measure(contenders: list[Repeat], rounds: int, seconds: float = 0.004) -> list[float]:
    """Median seconds of one run of each, in turn."""
    times = []
    for contender in contenders:
        contender(1)
        count, spent = 1, 0.0
        while spent < seconds / 2:
            count = count * 2 if spent else count
            start = time.thread_time()
            contender(count)
            spent = time.thread_time() - start
        times.append(count)
    samples: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, count, taken in zip(contenders, times, samples, strict=True):
            start = time.thread_time()
            contender(count)
            taken.append((time.thread_time() - start) / count)
    return [statistics.median(taken) for taken in samples]


def flops(c: Contraction) -> float:
    """Operations of the terms that exist."""
    extents = {d.name: d.extent for d in c.outputs + c.k}
    total = 2.0 * prod(extents.values())
    for x in c.inside:
        outputs, sums = extents[x.output], extents[x.summed]
        total *= sum(len(x.terms(o, sums)) for o in range(outputs)) / (outputs * sums)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--lanes", type=int, default=host().lanes, choices=(4, 8, 16))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--plans", action="store_true", help="show how each is run")
    options = parser.parse_args()
    if torch is not None:
        torch.set_num_threads(1)
    print(f"{'':24} {'us':>10} {'GFLOP/s':>8} {'torch us':>10} {'ratio':>6}")
    for case in [*products(), *convolutions()]:
        if options.only not in case.name:
            continue
        mine, *theirs = measure([ours(case, options.lanes), *map(repeating, case.peers)], options.rounds)
        best = min(theirs, default=float("nan"))
        rate = flops(case.c) / mine / 1e9
        print(f"{case.name:24} {mine * 1e6:10.1f} {rate:8.1f} {best * 1e6:10.1f} {best / mine:6.2f}")
        if options.plans:
            print(f"    {plan(case.c, options.lanes)}")


if __name__ == "__main__":
    main()
