"""Contractions: every kernel gives, bit for bit, the chain of fused multiply-adds that its description defines.

The reference is a scalar loop nest in IR. Operands and results lie against pages that cannot be touched, first at their
end, then at their beginning, so that a read or write outside is a crash.
"""

import ctypes
import functools
import os
import re
from dataclasses import dataclass, replace
from itertools import count, product
from math import inf, prod

import numpy as np
import pytest
from guarded import Guarded

from graphc import ops
from graphc.compiler import stage_texts
from graphc.dtype import bfloat16
from graphc.runtime import contraction as planning
from graphc.runtime import contraction_blocks as blocks
from graphc.runtime import contraction_emit, contraction_rows, jit, tiled, twos
from graphc.runtime import contraction_tile as tiling
from graphc.runtime.contraction import Contraction, Dim, Inside, plan, units
from graphc.runtime.contraction_emit import emit
from graphc.runtime.contraction_masked import ROWS, TERMS, may_skip
from graphc.runtime.contraction_plan import Cut
from graphc.runtime.llvmtext import Module, const, i64, mask, vector
from graphc.runtime.target import host
from graphc.runtime.twos import HALF
from graphc.trace import trace

SIZES = (1, 2, 3, 7, 13, 17, 31, 33, 63, 65, 127, 129)
LANES = (4, 8, 16)
DTYPES = {"float": np.float32, "double": np.float64}
SIGNATURE = (None, *[ctypes.c_void_p] * 3, ctypes.c_int64, ctypes.c_int64)


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    before = os.environ.get("GRAPHC_CACHE_DIR")
    os.environ["GRAPHC_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["GRAPHC_CACHE_DIR"]
    else:
        os.environ["GRAPHC_CACHE_DIR"] = before


# Cases


@dataclass(frozen=True)
class Case:
    """A contraction, the elements of its operands, and where their coordinate zero is (it may lie before them)."""

    c: Contraction
    a: int
    b: int
    a_zero: int = 0
    b_zero: int = 0


def case(**dims):
    """A case whose operands are just as large as the dims reach."""
    c = Contraction(**dims)
    reach = {x: 1 + sum((d.extent - 1) * d.stride(x) for d in c.outputs + c.k) for x in "ab"}
    return Case(c, reach["a"], reach["b"])


def matmul(m, n, k, a="N", b="N", lanes="j", **more):
    """C[i, j] of operands stored by rows ("N") or by columns ("T")."""
    rows, columns = (k, 1) if a == "N" else (1, m), (n, 1) if b == "N" else (1, k)
    return case(
        m=(Dim("i", m, rows[0], 0),), n=(Dim("j", n, 0, columns[1]),), k=(Dim("k", k, rows[1], columns[0]),),
        lanes=lanes, **more,
    )  # fmt: skip


@dataclass(frozen=True)
class Conv:
    """A convolution in batch-blocked layout, [N / 16, H, W, C, 16], or in [N, H, W, C]."""

    n: int
    ci: int
    co: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: int = 1
    dilation: int = 1
    pad: tuple[int, int] = (0, 0)
    groups: int = 1
    images: int = 16

    @property
    def out(self):
        return tuple(
            (h + 2 * p - (k - 1) * self.dilation - 1) // self.stride + 1
            for h, k, p in zip(self.size, self.kernel, self.pad, strict=True)
        )

    def inside(self, rows, columns):
        """The conditions that leave out the padding, for dims named so."""
        if self.pad == (0, 0):
            return ()
        pairs = zip((rows, columns), self.pad, self.size, strict=True)
        return tuple(Inside(o, k, *self.steps(o), -p, extent) for (o, k), p, extent in pairs)

    def steps(self, output):
        return (self.stride, self.dilation) if output.startswith("o") else (self.dilation, self.stride)

    def forward(self):
        (h, w), (oh, ow), (kh, kw), lanes = self.size, self.out, self.kernel, self.images
        ci, co, pixel = self.ci // self.groups, self.co // self.groups, self.ci * lanes
        c = Contraction(
            batch=(Dim("g", self.groups, co * ci * kh * kw, ci * lanes),),
            m=(Dim("co", co, ci * kh * kw, 0),),
            n=(
                Dim("nb", self.n, 0, h * w * pixel), Dim("oh", oh, 0, self.stride * w * pixel),
                Dim("ow", ow, 0, self.stride * pixel), Dim("l", lanes, 0, 1),
            ),
            k=(
                Dim("ci", ci, kh * kw, lanes), Dim("kh", kh, kw, self.dilation * w * pixel),
                Dim("kw", kw, 1, self.dilation * pixel),
            ),
            lanes="l", inside=self.inside(("oh", "kh"), ("ow", "kw")),
        )  # fmt: skip
        origin = -(self.pad[0] * w + self.pad[1]) * pixel
        return Case(c, self.co * ci * kh * kw, self.n * h * w * pixel, 0, origin)

    def gradient_of_input(self):
        """Stride 1: every tap reads the cotangent at a place that may lie outside it."""
        (h, w), (oh, ow), (kh, kw), lanes = self.size, self.out, self.kernel, self.images
        pixel, d = self.co * lanes, self.dilation
        c = Contraction(
            m=(Dim("ci", self.ci, kh * kw, 0),),
            n=(Dim("nb", self.n, 0, oh * ow * pixel), Dim("ih", h, 0, ow * pixel), Dim("iw", w, 0, pixel),
               Dim("l", lanes, 0, 1)),
            k=(Dim("co", self.co, self.ci * kh * kw, lanes), Dim("kh", kh, kw, -d * ow * pixel),
               Dim("kw", kw, 1, -d * pixel)),
            lanes="l",
            inside=(Inside("ih", "kh", 1, -d, self.pad[0], oh), Inside("iw", "kw", 1, -d, self.pad[1], ow)),
        )  # fmt: skip
        origin = (self.pad[0] * ow + self.pad[1]) * pixel
        return Case(c, self.co * self.ci * kh * kw, self.n * oh * ow * pixel, 0, origin)

    def gradient_of_weights(self, tail=None):
        (h, w), (oh, ow), (kh, kw), lanes = self.size, self.out, self.kernel, self.images
        x, y = self.ci * lanes, self.co * lanes
        c = Contraction(
            m=(Dim("co", self.co, lanes, 0),),
            n=(
                Dim("ci", self.ci, 0, lanes), Dim("kh", kh, 0, self.dilation * w * x),
                Dim("kw", kw, 0, self.dilation * x),
            ),
            k=(
                Dim("nb", self.n, oh * ow * y, h * w * x), Dim("oh", oh, ow * y, self.stride * w * x),
                Dim("ow", ow, y, self.stride * x), Dim("l", lanes, 1, 1),
            ),
            lanes="l", lane_tail=("nb", tail) if tail else None, inside=self.inside(("kh", "oh"), ("kw", "ow")),
        )  # fmt: skip
        origin = -(self.pad[0] * w + self.pad[1]) * x
        return Case(c, self.n * oh * ow * y, self.n * h * w * x, 0, origin)

    def gradient_of_weights_of_rows(self, across=16):
        """Of [N, C, H, W], each channel alone, with `across` images in the lanes."""
        (h, w), (oh, ow), (kh, kw), s, d = self.size, self.out, self.kernel, self.stride, self.dilation
        x, y = self.ci * h * w, self.ci * oh * ow  # of an image
        c = Contraction(
            batch=(Dim("c", self.ci, h * w, oh * ow),), m=(Dim("kh", kh, d * w, 0), Dim("kw", kw, d, 0)),
            k=(
                Dim("nb", self.n, across * x, across * y), Dim("oh", oh, s * w, ow), Dim("ow", ow, s, 1),
                Dim("l", across, x, y),
            ),
            lanes="l", inside=self.inside(("kh", "oh"), ("kw", "ow")),
        )  # fmt: skip
        images = self.n * across
        return Case(c, images * x, images * y, -(self.pad[0] * w + self.pad[1]), 0)

    def gradient_of_weights_across_channels(self, features=1):
        """Of [N, C, H, W], each channel alone, with the channels in the lanes, and one or more results of each."""
        (h, w), (oh, ow), (kh, kw), s, d = self.size, self.out, self.kernel, self.stride, self.dilation
        x, y = self.ci * h * w, self.ci * features * oh * ow  # of an image
        c = Contraction(
            batch=(Dim("c", self.ci, h * w, features * oh * ow),), m=(Dim("kh", kh, d * w, 0), Dim("kw", kw, d, 0)),
            n=(Dim("f", features, 0, oh * ow),),
            k=(Dim("n", self.n, x, y), Dim("oh", oh, s * w, ow), Dim("ow", ow, s, 1)),
            lanes="c", inside=self.inside(("kh", "oh"), ("kw", "ow")),
        )  # fmt: skip
        return Case(c, self.n * x, self.n * y, -(self.pad[0] * w + self.pad[1]), 0)

    def gradient_of_weights_along_taps(self):
        """Of [N, C, H, W], each channel alone, with the taps of a row across the lanes."""
        (h, w), (oh, ow), (kh, kw), s, d = self.size, self.out, self.kernel, self.stride, self.dilation
        x, y = self.ci * h * w, self.ci * oh * ow  # of an image
        c = Contraction(
            batch=(Dim("c", self.ci, oh * ow, h * w),), n=(Dim("kh", kh, 0, d * w), Dim("kw", kw, 0, d)),
            k=(Dim("n", self.n, y, x), Dim("oh", oh, ow, s * w), Dim("ow", ow, 1, s)),
            lanes="kw", inside=self.inside(("kh", "oh"), ("kw", "ow")),
        )  # fmt: skip
        return Case(c, self.n * y, self.n * x, 0, -(self.pad[0] * w + self.pad[1]))

    def wide_gradient_of_weights(self):
        """Of [N, C, H, W], the features of the cotangent across the lanes, where they lie far apart."""
        (h, w), (oh, ow), (kh, kw), s, d = self.size, self.out, self.kernel, self.stride, self.dilation
        c = Contraction(
            m=(Dim("ci", self.ci, h * w, 0), Dim("kh", kh, d * w, 0), Dim("kw", kw, d, 0)),
            n=(Dim("co", self.co, 0, oh * ow),),
            k=(
                Dim("n", self.n, self.ci * h * w, self.co * oh * ow), Dim("oh", oh, s * w, ow), Dim("ow", ow, s, 1),
            ),
            lanes="co", inside=self.inside(("kh", "oh"), ("kw", "ow")),
        )  # fmt: skip
        origin = -(self.pad[0] * w + self.pad[1])
        return Case(c, self.n * self.ci * h * w, self.n * self.co * oh * ow, origin, 0)

    def gradient_of_weights_of_features(self):
        """Of planes and a cotangent [N, H, W, C], its features across the lanes."""
        (h, w), (oh, ow), (kh, kw), s, d = self.size, self.out, self.kernel, self.stride, self.dilation
        c = Contraction(
            m=(Dim("ci", self.ci, h * w, 0), Dim("kh", kh, d * w, 0), Dim("kw", kw, d, 0)),
            n=(Dim("co", self.co, 0, 1),),
            k=(
                Dim("n", self.n, self.ci * h * w, self.co * oh * ow), Dim("oh", oh, s * w, ow * self.co),
                Dim("ow", ow, s, self.co),
            ),
            lanes="co", inside=self.inside(("kh", "oh"), ("kw", "ow")),
        )  # fmt: skip
        return Case(c, self.n * self.ci * h * w, self.n * self.co * oh * ow, -(self.pad[0] * w + self.pad[1]), 0)

    def rows(self):
        """Of [N, C, H, W], with an image's rows across the lanes, and its margins."""
        (h, w), (oh, ow), (kh, kw), s, d = self.size, self.out, self.kernel, self.stride, self.dilation
        ci, co = self.ci // self.groups, self.co // self.groups
        c = Contraction(
            batch=(Dim("g", self.groups, co * ci * kh * kw, ci * h * w),),
            m=(Dim("co", co, ci * kh * kw, 0),),
            n=(Dim("n", self.n, 0, self.ci * h * w), Dim("oh", oh, 0, s * w), Dim("ow", ow, 0, s)),
            k=(Dim("ci", ci, kh * kw, h * w), Dim("kh", kh, kw, d * w), Dim("kw", kw, 1, d)),
            lanes="ow", inside=self.inside(("oh", "kh"), ("ow", "kw")),
        )  # fmt: skip
        return Case(c, self.co * ci * kh * kw, self.n * self.ci * h * w, 0, -(self.pad[0] * w + self.pad[1]))

    def channels_last(self):
        (h, w), (oh, ow), (kh, kw), s, d = self.size, self.out, self.kernel, self.stride, self.dilation
        c = Contraction(
            m=(Dim("n", self.n, h * w * self.ci, 0), Dim("oh", oh, s * w * self.ci, 0), Dim("ow", ow, s * self.ci, 0)),
            n=(Dim("co", self.co, 0, 1),),
            k=(
                Dim("kh", kh, d * w * self.ci, kw * self.ci * self.co), Dim("kw", kw, d * self.ci, self.ci * self.co),
                Dim("ci", self.ci, 1, self.co),
            ),
            lanes="co", inside=self.inside(("oh", "kh"), ("ow", "kw")),
        )  # fmt: skip
        origin = -(self.pad[0] * w + self.pad[1]) * self.ci
        return Case(c, self.n * h * w * self.ci, kh * kw * self.ci * self.co, origin, 0)


# Kernels


def result_strides(c):
    """Row-major over the output dims, the one that results lie along last, as a rule the lanes'."""
    dims = sorted(c.outputs, key=lambda d: d.name == (c.along or c.lanes))
    strides, size = {}, 1
    for d in reversed(dims):
        strides[d.name] = size
        size *= d.extent
    return strides, size


def storing(c, out):
    """A `finish` that stores the accumulator at its coordinates."""
    strides, _ = result_strides(c)

    def finish(b, coords, acc, active, across):
        index = i64(0)
        for name, (base, constant) in coords.items():
            index = b.add(index, b.mul(b.add(base, constant), strides[name]))
        address = b.gep(out, index, c.element)
        if strides.get(across, 1) != 1:
            for lane in range(active):
                b.store(b.extract(acc, lane), b.gep(address, lane * strides[across], c.element))
        elif active == acc.lanes:
            b.store(acc, address)
        else:
            b.masked_store(acc, address, mask(active, acc.lanes))

    return finish


def kernel_text(name, c, lanes):
    module = Module(name)
    b = module.function(name, [("ptr", "a"), ("ptr", "b"), ("ptr", "c"), ("i64", "begin"), ("i64", "end")])
    a, bp, out, begin, end = b.args
    emit(b, c, lanes, a, bp, storing(c, out), begin, end)
    b.ret()
    return str(module)


def reference_text(name, c):
    """The definition, one scalar at a time."""
    module = Module(name)
    b = module.function(name, [("ptr", "a"), ("ptr", "b"), ("ptr", "c"), ("i64", "begin"), ("i64", "end")])
    element, at = c.element, {}
    stored = HALF if c.twos else element
    strides, _ = result_strides(c)
    partial = b.alloca(element, 16)

    def outputs(dims, a, bp, out):
        if not dims:
            if not c.lanes_summed:
                b.store(chain(c.sums, a, bp, const(0.0, element), None), out)
                return
            for lane in range(16):
                b.store(const(0.0, element), b.gep(partial, lane, element))
            with b.loop(0, c.lane.extent) as lane:
                at[c.lanes] = lane
                here = [b.gep(p, b.mul(lane, s), element) for p, s in ((a, c.lane.a), (bp, c.lane.b))]
                b.store(chain(c.sums, *here, const(0.0, element), None), b.gep(partial, lane, element))
            for half in (8, 4, 2, 1):
                for lane in range(half):
                    x, y = (b.gep(partial, lane + n, element) for n in (0, half))
                    b.store(b.fadd(b.load(x, element), b.load(y, element)), x)
            b.store(b.load(partial, element), out)
            return
        with b.loop(0, dims[0].extent) as x:
            at[dims[0].name] = x
            step = [b.gep(p, b.mul(x, s), stored) for p, s in ((a, dims[0].a), (bp, dims[0].b))]
            outputs(dims[1:], *step, b.gep(out, b.mul(x, strides[dims[0].name]), element))

    def chain(dims, a, bp, acc, on):
        if c.twos and len(dims) < 2:
            d = dims[0] if dims else Dim("none", 1, 1, 1)
            return existing(lambda: by_twos(d, a, bp, acc), acc, on)
        if not dims:
            return existing(lambda: b.fma(b.load(a, element), b.load(bp, element), acc), acc, on)
        with b.loop_carrying(0, dims[0].extent, [acc]) as (x, carried, out):
            at[dims[0].name] = x
            if c.lane_tail and c.lane_tail[0] == dims[0].name:
                on = b.int_op("or", b.icmp("ne", x, dims[0].extent - 1), b.icmp("slt", at[c.lanes], c.lane_tail[1]))
            step = [b.gep(p, b.mul(x, s), stored) for p, s in ((a, dims[0].a), (bp, dims[0].b))]
            out[:] = [chain(dims[1:], *step, carried[0], on)]
        return out[0]

    def by_twos(d, a, bp, acc):
        """The second of every two terms first."""

        def term(k, acc):
            places = (b.gep(p, b.mul(k, s), HALF) for p, s in ((a, d.a), (bp, d.b)))
            return b.fma(*(b.bitcast(b.int_op("shl", b.convert("zext", b.load(x, HALF), "i32"), 16), "float")
                           for x in places), acc)  # fmt: skip

        out = [acc]
        if d.extent > 1:
            with b.loop_carrying(0, d.extent // 2 * 2, [acc], 2) as (k, (carried,), out):
                out[:] = [term(k, term(b.add(k, 1), carried))]
        return term(i64(d.extent - 1), out[0]) if d.extent % 2 else out[0]

    def existing(term, acc, on):
        for x in c.inside:
            place = b.add(b.mul(at[x.output], x.output_step), b.mul(at[x.summed], x.sum_step))
            place = b.add(place, x.start)
            holds = b.int_op("and", b.icmp("sge", place, 0), b.icmp("slt", place, x.extent))
            on = b.int_op("and", on, holds) if on else holds
        if on is None:
            return term()
        before, then, done = b.block, b.fresh("exists"), b.fresh("next")
        b.branch_if(on, then, done)
        b.start(then)
        more, then = term(), b.block
        b.branch(done)
        b.start(done)
        return b.emit(element, f"phi {element} [ {acc.name}, %{before} ], [ {more.name}, %{then} ]")

    outputs(list(c.outputs), *b.args[:3])
    b.ret()
    return str(module)


def numbers(rng, size, dtype):
    return rng.standard_normal(size).astype(dtype)


def check(cases, lanes=LANES, fill=numbers):
    """Every case, at every vector length, unit by unit in any order, is the reference to the bit."""
    cases = list(cases)
    texts = [reference_text(f"reference{n}", case.c) for n, case in enumerate(cases)]
    texts += [kernel_text(f"kernel{n}_{wide}", case.c, wide) for n, case in enumerate(cases) for wide in lanes]
    names = [f"reference{n}" for n in range(len(cases))]
    names += [f"kernel{n}_{wide}" for n in range(len(cases)) for wide in lanes]
    native = jit.compile_text(texts, names)
    for n, some in enumerate(cases):
        rng, dtype = np.random.default_rng(n), DTYPES[some.c.element]
        size, narrow = result_strides(some.c)[1], bfloat16.np if some.c.twos else dtype
        for at_end in (True, False):
            a, b, out = (Guarded(n, of, at_end) for n, of in ((some.a, narrow), (some.b, narrow), (size, dtype)))
            a.array[:], b.array[:] = fill(rng, some.a, narrow), fill(rng, some.b, narrow)
            operands = a.address(some.a_zero), b.address(some.b_zero), out.address()
            native.function(f"reference{n}", *SIGNATURE)(*operands, 0, 1)
            expected = out.array.copy()
            for wide in lanes:
                run = native.function(f"kernel{n}_{wide}", *SIGNATURE)
                out.array[:] = np.nan
                order = rng.permutation(contraction_emit.plan(some.c, wide).units)
                for u in order if at_end else [0]:
                    run(*operands, u, u + 1 if at_end else len(order))
                assert out.array.tobytes() == expected.tobytes(), f"{wide} lanes, {some.c}, {plan(some.c, wide)}"


# Products of matrices


@pytest.mark.parametrize("a", "NT")
@pytest.mark.parametrize("b", "NT")
def test_matrix_products_of_all_sizes(a, b):
    turned = [(SIZES[n], SIZES[(5 * n + 3) % 12], SIZES[(7 * n + 1) % 12]) for n in range(12)]
    check(matmul(*sizes, a, b) for sizes in turned)


@pytest.fixture(params=["one instruction", "two multiply-adds"])
def two_terms(request, monkeypatch):
    """Machines with the instruction that adds two products, if this is one, and without."""
    if request.param != "one instruction":
        monkeypatch.setattr(twos, "host", lambda: replace(host(), features=""))
    return request.param


@pytest.mark.parametrize("a", "NT")
@pytest.mark.parametrize("b", "NT")
def test_products_of_narrow_factors_of_all_sizes(a, b, two_terms):
    turned = [(SIZES[n], SIZES[(5 * n + 3) % 12], SIZES[(7 * n + 1) % 12]) for n in range(12)]
    check(matmul(*sizes, a, b, twos=True) for sizes in turned)


def test_narrow_factors_are_read_in_every_way(two_terms):
    turning, woven, along = matmul(8, 70, 51, "N", "T", twos=True), matmul(70, 90, 33, twos=True), matmul(3, 700, 999)
    along = replace(along, c=replace(along.c, twos=True))
    both, blocked = matmul(130, 90, 601, "T", "N", twos=True), matmul(200, 70, 4097, "N", "T", twos=True)
    assert plan(turning.c, 16).turns == "b" and plan(woven.c, 16).packed == {"b"} and not plan(along.c, 16).packed
    assert plan(both.c, 16).packed == {"a", "b"} and plan(both.c, 16).cut and plan(blocked.c, 16).cut
    lanes = case(
        m=(Dim("i", 5, 8, 0),), n=(Dim("b", 2, 0, 8 * 16), Dim("l", 16, 0, 1)), k=(Dim("k", 8, 1, 16),), lanes="l",
        twos=True,
    )  # fmt: skip
    apart = case(
        batch=(Dim("h", 3, 2000, 3000),), m=(Dim("i", 7, 40, 0),), n=(Dim("j", 19, 0, 60),),
        k=(Dim("k", 19, 2, 3),), lanes="j", twos=True,
    )  # fmt: skip
    within = case(
        m=(Dim("i", 3, 60, 0),), n=(Dim("j", 40, 0, 60),), k=(Dim("k", 2, 30, 30), Dim("l", 22, 1, 1)), lanes="j",
        twos=True,
    )  # fmt: skip
    windows = case(
        m=(Dim("i", 9, 20, 0),), n=(Dim("j", 37, 0, 1),), k=(Dim("k", 20, 1, 1),), lanes="j", twos=True,
    )  # fmt: skip
    same = case(m=(Dim("i", 9, 0, 0),), n=(Dim("j", 37, 0, 1),), k=(Dim("k", 21, 0, 37),), lanes="j", twos=True)
    check([turning, woven, along, both, blocked, lanes, apart, within, windows, same])


def two_channels(some):
    """A convolution of narrow factors, whose sum takes two channels at a time."""
    ci, *taps = some.c.k
    two = Dim("two", 2, ci.a, ci.b)
    return replace(some, c=replace(some.c, k=(Dim("ci", ci.extent // 2, 2 * ci.a, 2 * ci.b), *taps, two), twos=True))


def test_convolutions_of_narrow_factors(two_terms):
    shapes = [
        Conv(2, 4, 5, (7, 9), (3, 3), pad=(1, 1)), Conv(1, 6, 16, (8, 8), (5, 5), stride=2, pad=(2, 2)),
        Conv(1, 2, 3, (6, 5), (1, 1)), Conv(2, 8, 20, (9, 6), (3, 2), dilation=2),
    ]  # fmt: skip
    some = []
    for shape in shapes:
        rows, blocked = (two_channels(made) for made in (shape.rows(), shape.forward()))
        taps = prod(shape.kernel)
        near = {"ci": 2, "kh": shape.kernel[1] * shape.ci, "kw": shape.ci, "two": 1, "co": taps * shape.ci}
        moved = {n: tuple(replace(d, a=near.get(d.name, d.a)) for d in getattr(rows.c, n)) for n in "mk"}
        last = shape.channels_last()  # whose sum takes two channels of a tap
        some += [replace(rows, c=replace(rows.c, **moved)), rows, blocked, replace(last, c=replace(last.c, twos=True))]
    check(some)


def test_words_of_two_factors_take_half_the_steps():
    narrow, single = (matmul(512, 512, 512, b="T", twos=by_twos).c for by_twos in (True, False))
    assert (plan(narrow, 16).steps, plan(single, 16).steps) == (256, 512)
    assert plan(narrow, 16).contraction.two("a") == plan(narrow, 16).contraction.two("b") == 1
    assert plan(matmul(512, 512, 512, twos=True).c, 16).contraction.two("b") == 512
    text = kernel_text("k", matmul(64, 64, 64, twos=True).c, 16)
    assert ("vdpbf16ps" in jit.assembly(text)) == host().multiplies_twos
    assert str(narrow).endswith("by twos")


def test_halves_of_words_that_are_multiplied_one_by_one_take_registers(monkeypatch):
    def accumulators(features):
        monkeypatch.setattr(planning, "host", lambda: replace(host(), features=features))
        return prod(-(-axis.tile // axis.lanes) for axis in plan.__wrapped__(matmul(96, 96, 96, twos=True).c, 8).axes)

    assert accumulators("") < accumulators("+avx512bf16,+avx512vl") <= 12


@pytest.mark.parametrize("lanes", [1, 4, 8, 16])
def test_the_second_of_two_terms_is_added_first(lanes, two_terms):
    """Each sum is rounded to nearest; to the instruction subnormal factors and sums are zeros."""
    rng, size, type_ = np.random.default_rng(0), 1 << 15, vector("float", lanes)
    module = Module("two")
    b = module.function("two", [("ptr", "x"), ("ptr", "y"), ("ptr", "acc"), ("i64", "begin"), ("i64", "end")])
    with b.loop(*b.args[3:], lanes) as n:
        x, y, acc = (b.gep(p, n, "float") for p in b.args[:3])
        b.store(twos.multiply(b, *(b.load(p, type_) for p in (x, y, acc))), acc)
    b.ret()
    run = jit.compile_text([str(module)], ["two"]).function("two", *SIGNATURE)
    x, y = ((rng.standard_normal((size, 2)) * 2.0 ** rng.integers(-9, 9, (size, 2))).astype(bfloat16.np) for _ in "xy")
    acc = rng.standard_normal(size).astype(np.float32)
    special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 3e38, 1.0], bfloat16.np)
    x[:999], y[:999] = rng.choice(special, (999, 2)), rng.choice(special, (999, 2))
    x[1000], y[1000], acc[1000] = (0, 2.0**-130), (1, 2.0**100), 0
    x[1001], y[1001], acc[1001] = (2.0**-70, 0), (-(2.0**-70), 0), 0
    x[1002], y[1002], acc[1002] = (0, 2.0**-70), (0, 2.0**-60), 2.0**-127

    def added(acc, half):  # a product is exact in double precision; its sum is rounded to odd there
        product = x[:, half].astype(np.float64) * y[:, half].astype(np.float64)
        total = acc.astype(np.float64) + product
        back = total - product
        error = (acc.astype(np.float64) - back) + (product - (total - back))
        odd = total.view(np.int64) & 1 == 1
        toward = np.where(error > 0, np.inf, -np.inf)
        exact = (error == 0) | ~np.isfinite(error) | odd
        return np.where(exact, total, np.nextafter(total, toward)).astype(np.float32)

    with np.errstate(all="ignore"):
        wanted = added(added(acc, 1), 0)
    got = acc.copy()
    run(x.ctypes.data, y.ctypes.data, got.ctypes.data, 0, size)
    flushed = two_terms == "one instruction" and host().multiplies_twos
    assert np.signbit(got[1001]) and wanted[1001] == -(2.0**-140)
    wanted[1000:1003] = (0, -0.0, 0) if flushed else (2.0**-30, -(2.0**-140), 2.0**-127 + 2.0**-130)
    np.testing.assert_array_equal(got, wanted)
    assert (np.signbit(got) == np.signbit(wanted))[~np.isnan(wanted)].all()


def test_few_rows_turn_what_they_read_themselves():
    assert plan(matmul(8, 70, 50, "N", "T").c, 16).turns == "b" and not plan(matmul(8, 70, 50, "N", "T").c, 16).packed
    assert plan(matmul(25, 70, 50, "N", "T").c, 16).packed == {"b"} and plan(matmul(8, 70, 50).c, 16).turns is None
    assert [plan(matmul(12, 70, 512, "N", "T").c, lanes).turns for lanes in (8, 16)] == [None, "b"]
    assert plan(matmul(16, 70, 512, "N", "T").c, 16).turns == "b"  # as many lines of two sets have room
    assert plan(matmul(17, 70, 512, "N", "T").c, 16).packed == {"b"}
    assert plan(matmul(13, 70, 1024, "N", "T").c, 16).packed == {"b"}  # as many lines of one set would crowd
    assert plan(matmul(70, 8, 50, "T", "N", lanes="i").c, 8).turns is None  # its vectors lie in memory
    inner = case(
        m=(Dim("i", 3, 60, 0),), n=(Dim("j", 40, 0, 60),), k=(Dim("k", 2, 30, 30), Dim("l", 21, 1, 1)), lanes="j",
    )  # fmt: skip
    two = case(
        batch=(Dim("h", 2, 63, 20 * 63),), m=(Dim("i", 3, 21, 0),), n=(Dim("j", 20, 0, 63),), k=(Dim("k", 21, 1, 1),),
        lanes="j",
    )  # fmt: skip
    assert all(plan(some.c, lanes).turns == "b" for some in (inner, two) for lanes in LANES)
    check([inner, two, matmul(5, 33, 3, "N", "T"), matmul(24, 17, 19, "T", "T", element="double")])


def test_lines_that_meet_in_one_set_of_the_cache_are_turned_whole():
    def rows(m, apart, steps, element="float"):
        return case(
            m=(Dim("i", m, steps, 0),), n=(Dim("j", 37, 0, apart),), k=(Dim("k", steps, 1, 1),), lanes="j",
            element=element,
        )  # fmt: skip

    def loads(some, lanes):
        return len(re.findall(rf"load <{lanes} x float>", kernel_text("k", some.c, 16)))

    assert [plan(rows(1, apart, 96).c, 16).at_once for apart in (1008, 1024, 1040, 4096)] == [4, 16, 4, 16]
    assert plan(rows(1, 1024, 96).c, 8).at_once == 4  # a set holds a line of each of eight lanes
    assert loads(rows(1, 1024, 96), 4) == 0 < loads(rows(1, 1024, 96), 16)
    assert loads(rows(1, 1040, 96), 16) == 0 < loads(rows(1, 1040, 96), 4)
    few, packed, double = rows(2, 1024, 109), rows(30, 1024, 109), rows(3, 512, 45, "double")
    assert plan(few.c, 16).turns == "b" and plan(packed.c, 16).packed == {"b"}
    assert plan(packed.c, 16).at_once == 16 and "<4 x float>" not in kernel_text("k", packed.c, 16)
    check([few, packed, double])


def test_results_pages_apart_are_finished_row_by_row(monkeypatch):
    """Where rows are pages apart, reading what a result is added to would wait for the one above to be stored."""
    found = []

    def finish(b, coords, acc, active, across):
        found.append([(x.name, more) for x, more in (coords["i"], coords["j"])])

    module, c = Module("k"), matmul(9, 128, 1).c
    b = module.function("k", [("ptr", "a"), ("ptr", "b"), ("i64", "begin"), ("i64", "end")])
    emit(b, c, 16, *b.args[:2], finish, *b.args[2:], by_rows=True)
    tile = {axis.dim.name: axis.tile for axis in plan(c, 16).axes}
    first = found[: tile["i"] * tile["j"] // 16]
    assert tile["i"] > 1 and tile["j"] > 16
    assert first == sorted(first, key=lambda at: (at[0][1], at[1][1]))
    asked = []
    monkeypatch.setattr(tiled, "emit", lambda *args: asked.append(args[-2]))
    for columns in (1024, 1040):
        x, y = np.ones((70, 3), np.float32), np.ones((3, columns), np.float32)
        dict(stage_texts(trace(ops.matmul, (x, y), {}, "matmul").graph))
    assert set(asked) == {True, False}


def test_lanes_along_either_operand_or_both():
    check([
        matmul(33, 5, 9, "T", "N", lanes="i"),
        matmul(33, 5, 9, "N", "T", lanes="i"),
        case(batch=(Dim("h", 3, 40, 40), Dim("c", 37, 1, 1)), k=(Dim("k", 7, 120, 120),), lanes="c"),
        case(batch=(Dim("c", 37, 3, 1),), m=(Dim("i", 2, 1, 0),), k=(Dim("k", 5, 120, 37),), lanes="c"),
    ])  # fmt: skip


def test_batches_and_dims_that_move_nothing():
    check([
        case(
            batch=(Dim("h", 3, 35, 77),), m=(Dim("i", 5, 7, 0),), n=(Dim("j", 11, 0, 1),), k=(Dim("k", 7, 1, 11),),
            lanes="j",
        ),
        case(batch=(Dim("again", 2, 0, 0),), n=(Dim("j", 20, 0, 1),), k=(Dim("k", 3, 1, 20),), lanes="j"),
        case(m=(Dim("i", 4, 1, 0),), n=(Dim("j", 20, 0, 1),), lanes="j"),
        case(n=(Dim("j", 1, 0, 1),), k=(Dim("k", 33, 1, 1),), lanes="j"),
    ])  # fmt: skip


def test_double():
    check([matmul(13, 33, 17, a, b, element="double") for a, b in product("NT", "NT")])
    check([replace(x, c=replace(x.c, element="double")) for x in (summed(5, 3, 4, 16), summed(2, 3, 2, 11, 5))])


def test_large_products_are_cut_and_packed():
    check([matmul(130, 260, 700, "T", "T"), matmul(70, 2100, 530, "T", "N"), matmul(1100, 130, 600, "T", "N")])
    packed = {plan(matmul(1100, 600, 600, a, b).c, lanes).packed for a, b, lanes in product("NT", "NT", LANES)}
    assert packed == {frozenset(), frozenset("b")}  # elements one by one are read where they lie


@pytest.mark.parametrize("across", SIZES)
def test_results_that_lie_along_another_dim_than_the_lanes(across):
    """They wait, are turned by squares, and finished a vector at a time; or lane by lane if few are filled."""
    convs = [Conv(n, 3, across, (5, wide + 2), (3, 3)).channels_last() for n, wide in zip((2, 1, 2, 1), (7, 16, 33, 9))]
    convs += [Conv(1, 5, across, (9, 2 * wide), (3, 3), 2, pad=(1, 1)).channels_last() for wide in (8, 17)]
    long = [replace(matmul(9, across, 700).c, along="i", apart=apart) for apart in (9, 1024)]
    cases = [replace(x, c=replace(x.c, along="ow", apart=33)) for x in convs]
    cases += [replace(matmul(9, across, 700), c=c) for c in long]
    cases += [replace(x, c=replace(x.c, element="double")) for x in cases[:2]]
    check(cases)
    if across >= 16:
        assert [plan(x.c, 16).turns_results for x in cases] == [False, *[True] * 9]


@pytest.mark.parametrize(("steps", "rows"), [(1024, 8), (512, 16), (1536, 16), (2048, 8), (256, 28), (528, 28)])
def test_a_tile_has_no_more_rows_than_sets_of_the_cache_hold_lines(steps, rows):
    """Rows that are whole pages apart meet in one set, those that are half a page apart in two."""
    chosen = plan(matmul(2048, 16, steps).c, 16)
    assert next(axis.tile for axis in chosen.axes if axis.dim.name == "i") == rows


def test_units_of_a_long_row_turn_their_results_too():
    rows = [Conv(1, 20, 64, (3, wide), (3, 3), 2).channels_last() for wide in (1601, 1599, 2100)]
    cases = [replace(x, c=replace(x.c, along="ow", apart=wide)) for x, wide in zip(rows, (801, 799, 1050))]
    check(cases)
    for x in cases:
        chosen = plan(x.c, 16)
        along = next(axis for axis in chosen.axes if axis.dim.name == "ow")
        assert chosen.turns_results and along.blocks > 1
        assert all(along.begin(tile) % 16 == 0 for tile in range(0, along.tiles, along.block))
        assert [along.begin(g.first) for g in along.groups] == [g.start for g in along.groups]


def test_against_float64():
    n = 150
    some = matmul(n, n, n, "T", "T")
    native = jit.compile_text([kernel_text("against", some.c, 16)], ["against"])
    a, b = (np.random.default_rng(x).standard_normal((n, n)).astype(np.float32) for x in (1, 2))
    out = np.empty((n, n), np.float32)
    native.function("against", *SIGNATURE)(*(x.ctypes.data for x in (a, b, out)), 0, units(some.c, 16))
    np.testing.assert_allclose(out, a.T.astype(np.float64) @ b.T, rtol=0, atol=n * 2.0**-24 * 30)


# Lanes that are summed


def summed(m, n, steps, lanes, tail=None):
    return case(
        m=(Dim("i", m, steps * lanes, 0),), n=(Dim("j", n, 0, steps * lanes),),
        k=(Dim("kb", steps, lanes, lanes), Dim("l", lanes, 1, 1)), lanes="l", lane_tail=("kb", tail) if tail else None,
    )  # fmt: skip


@pytest.mark.parametrize("lanes", [1, 2, 7, 13, 16])
def test_summed_lanes(lanes):
    check([summed(*sizes, lanes) for sizes in ((1, 1, 1), (3, 5, 4), (13, 17, 5), (1, 33, 2))])
    check([summed(3, 5, steps, lanes, tail) for steps in (1, 4) for tail in {1, max(1, lanes // 2)}])


def test_summed_lanes_of_operands_that_repeat_or_skip():
    k = (Dim("kb", 3, 20, 16), Dim("l", 11, 0, 1))
    strided = (Dim("kb", 3, 40, 16), Dim("l", 11, 3, 1))
    m, n = (Dim("i", 3, 200, 0),), (Dim("j", 2, 0, 64),)
    check([case(m=m, n=n, k=some, lanes="l", lane_tail=tail) for some in (k, strided) for tail in (None, ("kb", 4))])


def test_a_lane_that_does_not_exist_leaves_a_negative_zero_alone():
    """A chain that underflows ends in -0.0, which adding +0.0 would turn; a garbage lane would turn it to NaN."""
    some = summed(2, 2, 2, 16, 4)

    def fill(rng, size, dtype):
        values = np.full(size, 1e-30, dtype) * np.where(np.arange(size) % 2, 1, -1).astype(dtype)
        values.reshape(-1, 2, 16)[:, 1, 4:] = np.nan
        return values

    check([some], fill=fill)


# Convolutions

CONVS = [
    Conv(2, 1, 6, (12, 12), (5, 5)),
    Conv(1, 3, 5, (9, 11), (3, 3), stride=2),
    Conv(1, 4, 6, (9, 9), (3, 3), dilation=2),
    Conv(2, 3, 6, (9, 11), (5, 5), pad=(2, 2)),
    Conv(1, 2, 5, (8, 9), (3, 3), stride=2, pad=(1, 1)),
    Conv(1, 2, 3, (7, 7), (3, 3), dilation=2, pad=(2, 2)),
    Conv(1, 2, 2, (3, 3), (5, 5), pad=(2, 2)),
    Conv(1, 3, 4, (6, 31), (3, 7), stride=3, dilation=2, pad=(1, 6)),
    Conv(1, 2, 3, (5, 6), (3, 2), images=7),
    Conv(2, 6, 8, (3, 4), (2, 7), stride=2, pad=(0, 2)),
]


def test_convolution_forward():
    check(conv.forward() for conv in CONVS)
    groups = Conv(2, 4, 6, (7, 7), (3, 3), groups=2), Conv(1, 6, 6, (9, 9), (3, 3), pad=(1, 1), groups=6)
    check(conv.forward() for conv in groups)


def test_taps_that_step_to_where_a_vector_is_not_full():
    """Along rows: a tap reads whole vectors where the last vector of the tap before holds some lanes only."""
    check(
        case(
            m=(Dim("co", 25, 24, 0),), n=(Dim("ow", width, 0, 1),),
            k=(Dim("ci", 8, 3, width + 2 * apart), Dim("kw", 3, 1, apart)), lanes="ow",
        )
        for width in (5, 9, 17, 33) for apart in (4, 8, 16)
    )  # fmt: skip


def test_convolution_gradient_of_input():
    check(conv.gradient_of_input() for conv in CONVS if conv.stride == 1)


def test_convolution_gradient_of_weights():
    check(conv.gradient_of_weights() for conv in CONVS)
    check(conv.gradient_of_weights(tail=5) for conv in CONVS[:5])


DEPTHWISE = [
    Conv(2, 3, 3, (9, 11), (3, 3), pad=(1, 1)), Conv(1, 2, 2, (9, 11), (3, 3)),
    Conv(3, 1, 1, (5, 4), (5, 3), pad=(2, 1)),
    Conv(2, 2, 2, (8, 9), (3, 3), stride=2, pad=(1, 1)), Conv(1, 2, 2, (13, 13), (3, 3), dilation=2, pad=(2, 2)),
    Conv(1, 2, 2, (7, 12), (3, 2), stride=3, pad=(4, 1)), Conv(2, 1, 1, (1, 40), (1, 5), pad=(0, 2)),
    Conv(1, 1, 1, (50, 37), (3, 3), pad=(1, 1)), Conv(1, 1, 1, (33, 48), (5, 5), stride=2, pad=(2, 2)),
]  # fmt: skip


def test_images_that_lie_far_apart_are_turned():
    """Nothing beside the planes is read: they are whole, and operands lie against pages that cannot be touched."""
    cases = [conv.gradient_of_weights_of_rows() for conv in DEPTHWISE]
    assert all(set(some.c.turned) == {"a", "b"} for some in cases)
    assert [len(stream.region) for stream in cases[0].c.turned.values()] == [99, 99]
    check(cases)
    check([replace(some, c=replace(some.c, element="double")) for some in cases[:3]])
    check([cases[0], cases[3]], fill=with_infinities)


def test_channels_that_lie_far_apart_are_turned():
    """As the sum goes on: the input into a buffer, in which what is still read moves; a cotangent where it is used."""
    sizes = [(3, (9, 11)), (16, (20, 30)), (19, (7, 7)), (33, (5, 40)), (2, (40, 21))]
    convs = [Conv(2, channels, channels, size, (3, 3), pad=(1, 1)) for channels, size in sizes]
    convs += [
        Conv(1, 17, 17, (33, 35), (5, 5), pad=(2, 2)), Conv(3, 5, 5, (30, 29), (3, 3), stride=2, pad=(1, 1)),
        Conv(1, 20, 20, (26, 50), (3, 5), dilation=2, pad=(2, 4)), Conv(2, 4, 4, (1, 40), (1, 5), pad=(0, 2)),
        Conv(1, 3, 3, (31, 18), (2, 3), stride=3, pad=(3, 1)), Conv(2, 3, 3, (50, 20), (1, 3), stride=4, pad=(0, 1)),
    ]  # fmt: skip
    cases = [conv.gradient_of_weights_across_channels() for conv in convs]
    cases.append(convs[0].gradient_of_weights_across_channels(2))
    assert all(set(some.c.turned) == {"a", "b"} for some in cases)
    chosen = [plan(some.c, 16) for some in cases]
    assert [one.turns for one in chosen] == ["b"] * len(convs) + [None]
    assert chosen[0].cut == Cut(0, 1) and chosen[5].cut is None  # image after image, as they lie
    check(cases)
    check([replace(some, c=replace(some.c, element="double")) for some in cases[:4]])
    check([cases[1], cases[6]], fill=with_infinities)


def test_images_that_no_panel_could_hold_are_gathered():
    few, large = Conv(2, 2, 2, (9, 11), (3, 3), pad=(1, 1)), Conv(1, 1, 1, (3, 1400), (3, 3), pad=(1, 1))
    cases = [few.gradient_of_weights_of_rows(7), Conv(2, 2, 2, (3, 4), (3, 3)).gradient_of_weights_of_rows()]
    cases.append(large.gradient_of_weights_of_rows())
    assert not any(some.c.turned for some in cases)
    check(cases)


def test_gradients_of_weights_with_features_far_apart():
    """Each unit turns the features, so there are as few units as there are cores."""
    wide = Conv(32, 24, 64, (16, 16), (3, 3), pad=(1, 1)).wide_gradient_of_weights().c
    assert plan(wide, 16).packed == {"b"} and plan(wide, 16).units <= 2 * blocks.host().cores
    check(conv.wide_gradient_of_weights() for conv in CONVS)
    check([Conv(2, 20, 40, (7, 6), (3, 3), pad=(1, 1)).wide_gradient_of_weights()])


def test_few_taps_take_short_vectors_of_several_channels():
    """Three taps are a vector of four, which seldom lies in two lines; channels keep the multiply-adds busy."""
    some = Conv(2, 13, 13, (9, 11), (3, 3), pad=(1, 1)).gradient_of_weights_along_taps()
    chosen = plan(some.c, 16)
    assert chosen.lanes == 4 and chosen.axes[0].dim.name == "c" and chosen.axes[0].tile > 1
    assert [plan(replace(some.c, element="double"), lanes).lanes for lanes in LANES] == [2, 4, 4]
    wide = [Conv(1, 5, 5, (4, 30), (2, taps), pad=(0, taps // 2)).gradient_of_weights_along_taps() for taps in (5, 9)]
    assert [plan(one.c, 16).lanes for one in wide] == [8, 16]
    cases = [some, *wide, *(conv.gradient_of_weights_along_taps() for conv in DEPTHWISE)]
    check(cases)
    check([replace(one, c=replace(one.c, element="double")) for one in cases[:3]])
    check(cases[:2], fill=with_infinities)


def with_infinities(rng, size, dtype):
    found = numbers(rng, size, dtype)
    found[rng.integers(0, size, 1 + size // 20)] = np.inf
    return found


def test_margins_across_the_lanes():
    wide = [
        Conv(1, 2, 3, (3, 50), (3, 3), pad=(1, 1)), Conv(2, 3, 3, (4, 28), (3, 3), pad=(1, 1), groups=3),
        Conv(1, 1, 2, (4, 19), (3, 5), pad=(2, 4)), Conv(1, 2, 2, (3, 33), (2, 3), dilation=8, pad=(8, 16)),
        Conv(1, 2, 5, (6, 41), (3, 3), stride=2, pad=(1, 1)), Conv(1, 1, 1, (2, 5), (1, 9), pad=(0, 20)),
    ]  # fmt: skip
    check([conv.rows() for conv in [*CONVS, *wide]], fill=with_infinities)


def test_convolution_channels_last():
    check(conv.channels_last() for conv in CONVS)
    check([Conv(1, 64, 70, (5, 9), (3, 3), pad=(1, 1)).channels_last()])


def test_wide_sums_with_terms_left_out():
    """A sum too long for one block, of which the filter's row and column decide what exists."""
    check([Conv(1, 200, 33, (5, 5), (3, 3), pad=(1, 1)).channels_last()], lanes=(16,))


# Plans


def variations(c, lanes):
    """Plans that the planner might have made."""
    usual = plan(c, lanes)
    yield replace(usual, axes=tuple(replace(axis, block=1) for axis in usual.axes))
    yield replace(usual, axes=tuple(replace(axis, block=axis.tiles) for axis in usual.axes))
    yield replace(usual, streamed="b" if usual.streamed == "a" else "a")
    for level, d in enumerate(c.merged().sums):
        whole = 4 * usual.window[level]
        if c.condition(d.name) and usual.window[level] == 1:
            whole = 1
        elif c.condition(d.name):
            continue
        if not c.lanes_summed and not any(c.condition(x.name) for x in c.sums[:level]):
            yield replace(usual, cut=Cut(level, whole * max(1, d.extent // whole // 3)))


def test_no_plan_changes_a_bit(monkeypatch):
    conv, padded = Conv(2, 5, 7, (6, 7), (3, 3)), Conv(2, 3, 19, (11, 9), (5, 3), stride=2, pad=(3, 1))
    cases = [matmul(29, 45, 70), matmul(29, 45, 71, "N", "T"), matmul(9, 40, 50, "T")]
    cases += [conv.forward(), conv.channels_last()]
    cases += [padded.gradient_of_weights_of_features(), padded.forward(), padded.channels_last()]
    for some, lanes in product(cases, LANES):
        for chosen in variations(some.c, lanes):
            monkeypatch.setattr(contraction_emit, "plan", lambda *_, chosen=chosen: chosen)
            check([some], lanes=(lanes,))


def test_packed_panels_change_no_bit(monkeypatch):
    monkeypatch.setattr(blocks, "FAR", 64)
    monkeypatch.setattr(blocks, "PANEL_BYTES", 2048)
    planning.plan.cache_clear()
    cases = [matmul(100, 200, 50, a, b) for a, b in product("NT", "NT")]
    some = case(
        m=(Dim("h", 3, 40, 0), Dim("i", 37, 1, 0)), n=(Dim("j", 300, 0, 1),),
        k=(Dim("k", 5, 2400, 6000), Dim("kk", 20, 120, 300)), lanes="j",
    )  # fmt: skip
    cases.append(some)
    packed = {plan(some.c, lanes).packed for some, lanes in product(cases, LANES)}
    assert packed == {frozenset(), frozenset("b")}
    check(cases)
    planning.plan.cache_clear()


def pixels(images, channels, features, size, stride=1, transposed=False, swapped=False):
    """A 1x1 convolution of rows, the pixels of an image's row across the lanes; of the image where none are skipped."""
    (h, w), (high, wide) = size, ((x - 1) // stride + 1 for x in size)
    own = (Dim("n", images, 0, channels * h * w), Dim("y", high, 0, stride * w), Dim("x", wide, 0, stride))
    if stride == 1:
        own = (own[0], Dim("x", h * w, 0, 1))
    filters = (Dim("f", features, 1 if transposed else channels, 0),)
    k = Dim("c", channels, features if transposed else 1, h * w)
    if swapped:  # the vectors are the first operand's
        own, filters, (k,) = (
            tuple(Dim(d.name, d.extent, d.b, d.a) for d in dims) for dims in (own, filters, (k,))
        )  # fmt: skip
        return case(m=own, n=filters, k=(k,), lanes="x")
    return case(m=filters, n=own, k=(k,), lanes="x")


def test_runs_that_fill_no_vectors_lie_side_by_side_in_a_panel():
    cases = [
        pixels(8, 64, 65, (7, 7)), pixels(6, 130, 70, (14, 14), transposed=True), pixels(9, 64, 64, (3, 3)),
        pixels(4, 70, 64, (14, 13), 2), pixels(3, 64, 64, (27, 55), 2), pixels(5, 64, 66, (10, 19), 3),
        pixels(4, 66, 64, (7, 7), swapped=True),
    ]  # fmt: skip
    assert all(plan(some.c, 16).runs and plan(some.c, 16).packed for some in cases)
    assert [(d.name, d.extent) for d in plan(cases[1].c, 16).runs] == [("n", 2), ("x", 196)]
    assert [(d.name, d.extent) for d in plan(cases[4].c, 16).runs] == [("y", 14), ("x", 28)]
    check(cases)


def test_runs_lie_side_by_side_only_where_that_fills_vectors_which_many_use():
    full, single, few, odd = (8, 64, 64, (8, 8)), (1, 64, 64, (7, 7)), (8, 64, 8, (7, 7)), (13, 64, 64, (13, 13))
    assert not any(plan(pixels(*some).c, 16).runs for some in (full, single, few, odd))
    large = plan(pixels(32, 512, 2048, (7, 7)).c, 16)
    assert large.cut and 4 * large.cut.size * 400 <= blocks.RUN_BYTES + 8 * 400 and large.units >= 4


def test_stack_stays_small():
    shapes = [(64, 512, 784), (2048, 2048, 2048), (1, 5000, 5000), (5000, 1, 5000), (4096, 30, 8), (17, 100000, 3)]
    shapes += [(256, 256, 4096), (1024, 1024, 8192), (2304, 768, 4096)]
    cases = [matmul(*shape, a, b).c for shape in shapes for a, b in product("NT", "NT")]
    cases += [Conv(4, 64, 128, (56, 56), (3, 3), pad=(1, 1)).channels_last().c]
    cases += [pixels(32, 2048, 512, (7, 7)).c, pixels(32, 512, 2048, (7, 7)).c, pixels(16, 512, 1024, (28, 28), 2).c]
    cases += [pixels(30, 640, 5000, (3, 1)).c]
    cases += [Conv(4, 64, 64, (64, 64), (3, 3), pad=(1, 1)).gradient_of_weights_of_rows().c]
    cases += [Conv(8, 512, 512, (32, 32), (3, 3), pad=(1, 1)).wide_gradient_of_weights().c]
    cases += [Conv(7, 960, 960, (40, wide), (3, 3), stride=s, pad=(1, 1)).gradient_of_weights_across_channels(n).c
              for wide, s, n in ((1000, 1, 1), (600, 3, 1), (50, 1, 2), (7, 1, 1))]  # fmt: skip
    for c, lanes in product(cases, LANES):
        stack = [line for line in kernel_text("k", c, lanes).splitlines() if " alloca " in line]
        assert sum(4 * int(line.split("i64 ")[1].split(",")[0]) for line in stack) <= 1024 * 1024, plan(c, lanes)


def test_units_of_long_sums_are_as_large_as_cores_allow():
    """Both operands of a weight's gradient are read from far: one of 256 x 256 is a unit for each core."""
    cores = min(blocks.host().cores, 4)
    for narrow in (False, True):
        chosen = plan(matmul(256, 256, 4096, "T", "N", twos=narrow).c, 16)
        assert ("a" in chosen.packed) == narrow and chosen.units >= cores and (cores > 2 or chosen.units == cores)
        assert chosen.across.block == 4  # what is read from afar is used for all 256 columns
    assert plan(matmul(256, 256, 1024, "T", "N").c, 16).units > chosen.units
    streamed = plan(matmul(128, 320, 25000, "T", "N").c, 16)  # by memory, unless both operands are used again
    assert not streamed.packed and streamed.cut and (cores > 2 or streamed.units <= 2 * cores)
    check([matmul(24, 150, 20000, "T", "N")], lanes=(16,))


def test_what_comes_from_afar_is_fetched_ahead():
    conv = Conv(2, 64, 64, (32, 32), (3, 3), pad=(1, 1)).forward()
    assert plan(conv.c, 16).ahead == "ow"
    assert Conv(1, 8, 64, (16, 16), (3, 3)).forward().c.vectors == "b"
    near, packed = Conv(1, 8, 64, (16, 16), (3, 3)).forward().c, matmul(512, 512, 1024, "N", "T").c
    assert plan(near, 16).ahead is plan(packed, 16).ahead is plan(conv.c, 8).ahead is None
    text = kernel_text("k", conv.c, 16)
    assert text.count("call void @llvm.prefetch") > 0
    check([Conv(1, 64, 8, (20, 20), (3, 3), pad=(1, 1)).forward()], lanes=(16,))


def test_rows_that_come_from_afar_are_fetched_before_their_tile(monkeypatch):
    along = matmul(600, 300, 700)
    assert plan(along.c, 16).rows_ahead == "i" and "fetches i ahead" in str(plan(along.c, 16))
    assert plan(matmul(600, 300, 700, "T").c, 16).rows_ahead is None  # neighbours lie in one line
    assert plan(matmul(60, 300, 700).c, 16).rows_ahead is None  # which the cache holds
    assert plan(matmul(600, 300, 1024).c, 16).rows_ahead is None  # all of a page apart, in one set of the cache
    assert plan(matmul(600, 300, 1040).c, 16).rows_ahead == "i"
    prefetches = kernel_text("k", along.c, 16).count("call void @llvm.prefetch")
    assert prefetches > 0
    check([along])


def test_a_transposed_matrix_that_comes_from_afar_is_fetched_a_line_for_each_step() -> None:
    across = matmul(900, 32, 730, "T")
    assert plan(across.c, 16).beside_ahead == "i" and "fetches i ahead" in str(plan(across.c, 16))
    assert plan(matmul(80, 32, 730, "T").c, 16).beside_ahead is None  # which the cache holds
    assert plan(matmul(900, 32, 730).c, 16).beside_ahead is None  # steps lie in one line
    chosen = plan(across.c, 16)
    rows, steps = chosen.axes[-1].tile, chosen.window[-1]
    lines = kernel_text("k", across.c, 16).count("call void @llvm.prefetch")
    assert rows <= 16 and lines % steps == 0 and lines > 0
    check([across, matmul(901, 33, 731, "T")])


def test_rows_of_pixels_that_come_from_afar_are_fetched_where_taps_share_them() -> None:
    """Of a depthwise convolution with its channels side by side: each vector serves few multiply-adds of each tap."""
    size, channels = 60, 80
    row, pixel = size * channels, channels
    c = Contraction(
        (Dim("c", channels, 1, 1),), (), (Dim("h", size - 2, 0, row), Dim("w", size - 2, 0, pixel)),
        (Dim("kh", 3, channels * 3, row), Dim("kw", 3, channels, pixel)), "c",
    )  # fmt: skip
    assert plan(c, 16).ahead == "h"
    assert plan(replace(c, k=(replace(c.k[0], extent=1), replace(c.k[1], extent=1))), 16).ahead is None


def test_lines_that_the_next_tile_turns_are_fetched() -> None:
    """Sixteen rows at a time, at the places where this tile reads its own; far ones to the second level."""
    for k, near in ((500, True), (1024, False)):
        turned = matmul(5, 700, k, b="T")
        assert plan(turned.c, 16).turns == "b" and plan(turned.c, 16).ahead == "j"
        fetched = re.findall(r"call void @llvm.prefetch.p0\(ptr %\S+, i32 0, i32 (\d)", kernel_text("k", turned.c, 16))
        assert len(fetched) >= 16 and {*fetched} == {"3" if near else "2"}
        check([turned])
    assert plan(matmul(5, 100, 500, b="T").c, 16).ahead is None  # which the cache holds
    assert plan(matmul(1, 300, 300, b="T").c, 16).ahead is None  # which it may hold, and one row uses once


def test_a_few_rows_meet_a_large_matrix_as_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows from end to end: the sum is in blocks of few steps, of each of which a unit computes many tiles."""

    def chosen(*size: int, **more: str) -> tuple[bool, int | None]:
        found = plan.__wrapped__(matmul(*size, **more).c, 16)
        return max(axis.block for axis in found.axes) > 3 and not found.packed, found.cut and found.cut.size

    monkeypatch.setattr(contraction_rows, "host", lambda: replace(host(), cores=2))
    assert chosen(1, 1024, 1024) == (True, 8)
    assert chosen(10, 1000, 1000) == (True, 12)
    assert chosen(32, 4096, 4096) == (True, 32)
    assert chosen(128, 4096, 4096) == (True, 128)
    assert chosen(300, 4096, 4096)[1] == 256  # a panel of it serves many rows
    assert chosen(10, 400, 400)[1] != 12  # which the cache holds
    assert chosen(10, 64, 9000)[1] != 12  # of which each core would not have a tile
    assert chosen(10, 1000, 1000, b="T")[1] is None  # steps lie side by side
    assert chosen(10, 4096, 4096, lanes="i", a="T", b="T")[1] != 12  # vectors to be gathered first
    check([matmul(m, n, k) for m, n, k in ((1, 1000, 301), (3, 999, 300), (17, 333, 1021), (64, 530, 509))])
    check([matmul(m, n, k, lanes="i") for m, n, k in ((31, 1000, 301), (65, 333, 1021), (129, 530, 509))])


def test_rows_that_meet_in_one_set_of_the_cache_are_no_more_than_it_holds():
    """A batch of sixteen uses each weight once, and 28 rows of them come from the second level at each step."""

    def rows(depth, batch=16):
        images = [Dim("i", batch // 16, a=0, b=16 * depth)] if batch > 16 else []
        c = Contraction((), (Dim("r", 512, depth, 0),), (*images, Dim("n", 16, 0, 1)), (Dim("k", depth, 1, 16),), "n")
        return next(axis.tile for axis in plan(c, 16).axes if axis.dim.name == "r")

    assert rows(1024) == rows(4096) == rows(1024, 32) == 8
    assert rows(1040) > 16 and rows(1040, 32) > 8  # not a page apart


def held(text):
    """The most vectors at a time that wait in the code between loops, of those that it has written or read."""
    most = 0
    for block in re.split(r"\n(?=\S+:\n)", text):
        lines = block.splitlines()
        made = {m[1]: n for n, line in enumerate(lines) if (m := re.match(r"\s*(%\S+) = .*<16 x float>", line))}
        used = {name: n for n, line in enumerate(lines) for name in re.findall(r"%[\w.]+", line)}
        waiting = [sum(made[x] < n < used[x] for x in made) for n in range(len(lines))]
        most = max(most, *waiting, 0)
    return most


def test_a_tile_under_taps_holds_no_more_vectors_than_there_are_registers():
    """Fourteen rows of a depthwise convolution, whose sixteen rows of input serve three rows of taps each."""
    conv = Conv(1, 4, 4, (28, 16), (3, 3), pad=(1, 1), groups=4).rows().c
    assert next(axis.tile for axis in plan(conv, 16).axes if axis.dim.name == "oh") == 14
    assert held(kernel_text("k", conv, 16)) < 32


@pytest.mark.parametrize(("size", "taps"), [(28, 3), (50, 5), (56, 7), (112, 3)])
def test_rows_of_several_vectors_share_what_a_depthwise_filter_reads(size, taps):
    """What one row reads at one of its taps the row before it reads at the next; the loop's body has both."""
    chosen = plan(Conv(1, 4, 4, (size, size), (taps, taps), groups=4).rows().c, 16)
    tiles = {axis.dim.name: axis.tile for axis in chosen.axes}
    assert tiles["oh"] > 1 and tiles["ow"] > 16 and chosen.window[-2] > 1


def test_results_far_away_are_fetched_while_a_sum_runs_that_is_long_enough():
    """A row of three vectors at every step of it; not for few terms, nor many, beside which storing is nothing."""

    def fetches(c):
        module, places = Module("k"), []
        b = module.function("k", [("ptr", "a"), ("ptr", "b"), ("ptr", "c"), ("i64", "begin"), ("i64", "end")])
        a, bp, out, begin, end = b.args
        emit(b, c, 16, a, bp, storing(c, out), begin, end, lambda into, coords, near: places.append(near))
        assert all(near is not bool(plan(c, 16).cut) for near in places)
        return len(places)

    assert fetches(matmul(8, 48, 64).c) == 3
    assert fetches(matmul(8, 48, 8).c) == fetches(matmul(8, 48, 512).c) == 0
    assert fetches(matmul(64, 48, 512).c) == 0 < fetches(matmul(64, 530, 520).c)  # whose sum is cut
    single = Contraction((), (), (Dim("j", 700, 0, 2),), (Dim("k", 2000, 1, 1400),), "j")
    assert plan(single, 16).cut and fetches(single) == 0  # a row, which is packed
    assert fetches(Conv(1, 3, 8, (18, 18), (3, 3)).forward().c) == 16  # all at once, for this sum has no loop


def test_an_epilogue_is_written_once_for_a_row_where_the_sum_and_it_are_long():
    """Of four vectors; for each of 24 accumulators where it is short, or the sum is; once where either is longer."""

    def written(depth, operations):
        module, places = Module("k"), []
        b = module.function("k", [("ptr", "a"), ("ptr", "b"), ("ptr", "c"), ("i64", "begin"), ("i64", "end")])
        a, bp, out, begin, end = b.args
        store = storing(matmul(6, 64, depth).c, out)

        def finish(into, coords, acc, active, across):
            places.append(coords)
            store(into, coords, acc, active, across)

        emit(b, matmul(6, 64, depth).c, 16, a, bp, finish, begin, end, operations=operations)
        return len(places)

    assert written(64, 8) == written(128, 3) == 24
    assert written(64, 64) == written(128, 24) == 4
    assert written(512, 0) == written(512, 64) == 1
    assert written(2, 64) == 24
    assert written(2, 128) == written(64, 128) == 1


def test_a_sum_in_an_epilogue_counts_as_often_as_it_is_written():
    def function(x, w1, w2, w3, c):
        hidden = ops.matmul(x, w1)
        return ops.matmul(ops.matmul(hidden, w2) + ops.sum(ops.expand_dims(hidden, -1) / c, -1), w3)

    arrays = tuple(ops.ones(shape) for shape in ((64, 32), (32, 96), (96, 96), (96, 16), (12,)))
    stages = dict(stage_texts(trace(function, arrays, {}, "function").graph))
    assert "add(acc, sum k5 in 0..12 of" in stages["kernels"]
    assert stages["llvm"].count(" fdiv ") == 12


def test_epilogues_that_are_written_once_change_no_bit(monkeypatch):
    cases = [matmul(29, 45, 70), matmul(6, 64, 128), matmul(7, 61, 96, "T"), Conv(2, 5, 7, (6, 7), (3, 3)).forward()]
    monkeypatch.setattr(contraction_emit._Kernel, "__init__", functools.partialmethod(always_staged))
    check(cases)
    monkeypatch.setattr(contraction_emit, "LONGEST_EPILOGUE", 10**7)  # a row of vectors at a time
    check(cases)


def always_staged(self, b, chosen, a, bp, finish, fetch, operations, *more, made=contraction_emit._Kernel.__init__):
    made(self, b, chosen, a, bp, finish, fetch, 10**6, *more)


def test_the_search_for_tiles_leaves_out_none_that_would_be_better():
    conv, wide = Conv(2, 24, 24, (7, 20), (3, 3), pad=(1, 1)), Conv(1, 64, 96, (14, 14), (3, 3), stride=2, pad=(1, 1))
    cases = [matmul(29, 45, 70), matmul(512, 512, 512), matmul(300, 10, 64, "T"), matmul(7, 900, 3)]
    cases += [summed(7, 9, 3, 16)]
    cases += [conv.forward(), conv.gradient_of_input(), conv.rows(), wide.rows(), wide.channels_last()]
    for some, lanes in product(cases, LANES):
        search = tiling.Search(some.c.merged(), lanes)
        registers = tiling.registers_of(lanes)
        tiles = sorted(tiling.tiles_worth_trying(search._c, lanes, registers), key=lambda tile: -prod(tile.values()))
        cells = [tiling.vectors_of(search._c, lanes, tile) for tile in tiles]
        fit = [t for t, n in zip(tiles, cells, strict=True) if search.steps.step(n).registers <= registers]
        costs = [search._cost(tile, inf) for tile in fit]
        best = search.best(registers)
        if min(costs, default=inf) < inf:
            assert search._cost(best, inf) == min(costs)


def test_images_come_before_channels_where_weights_are_few():
    conv = Conv(2, 24, 24, (7, 20), (3, 3), pad=(1, 1), groups=24).rows().c
    assert [axis.dim.name for axis in plan(conv, 16).axes] == ["n", "g", "oh", "ow", "co"]


def test_entries_come_before_a_batch_where_all_that_is_read_anew_is_used_often():
    """As products of tiles run image by image, though each point has weights of its own."""

    def outermost(tiles):
        """Of products of 300 features by the tiles of 5 images, over 200 channels, at 4 points."""
        images = Dim("r", 5, 0, 4 * 200 * tiles), Dim("j", tiles, 0, 1)
        points, channels = Dim("g", 4, 300 * 200, 200 * tiles), Dim("k", 200, 1, tiles)
        c = case(batch=(points,), m=(Dim("i", 300, 200, 0),), n=images, k=(channels,), lanes="j").c
        return plan(c, 16).axes[0].dim.name

    assert (outermost(40), outermost(63), outermost(64)) == ("g", "g", "r")


def test_what_comes_from_afar_is_read_as_it_lies():
    """Large planes of which each element serves one channel: a tile of few rows, for their lines come in turn."""
    plain, strided = (
        Conv(2, 96, 96, (112, 112), (3, 3), stride=stride, pad=(1, 1), groups=96).rows().c for stride in (1, 2)
    )
    near = Conv(1, 4, 4, (112, 112), (3, 3), stride=2, pad=(1, 1), groups=4).rows().c

    def rows(c):
        return next(axis.tile for axis in plan(c, 16).axes if axis.dim.name == "oh")

    assert rows(strided) <= tiling.STREAMS and rows(plain) <= tiling.STREAMS < rows(near)
    check([Conv(2, 9, 9, (57, 131), (3, 3), stride=2, pad=(1, 1), groups=9).rows()], lanes=(16,))


def test_rows_from_afar_are_read_once_for_all_columns():
    """The gradient of the weights of a large vocabulary: what the cache holds of the rows meets every column."""
    far, near = (plan(matmul(rows, 768, 256, a="T").c, 16) for rows in (50257, 768))
    assert [axis.dim.name for axis in far.axes] == ["i", "j"] and [axis.dim.name for axis in near.axes] == ["j", "i"]
    i, j = far.axes
    assert j.block == 1 and i.block > 1 and 4 * i.span * 256 <= 2 * blocks.BUFFER_BYTES
    long = plan(matmul(2048, 768, 2000).c, 16)  # whose rows are few in that part: each panel serves more of them
    assert [axis.dim.name for axis in long.axes] == ["j", "i"]
    check([matmul(3001, 130, 90, a="T")], lanes=(16,))


def test_vectors_from_afar_meet_the_tiles_of_a_unit_in_parts():
    """The gradient of few channels' weights: a few rows of the cotangent at a time meet all channels and taps."""
    far, near = (
        Conv(1, 3, features, (224, 200), (7, 7), stride=2, pad=(3, 3)).gradient_of_weights_of_features()
        for features in (32, 16)
    )
    chosen = plan(far.c, 16)
    assert chosen.units <= max(blocks.host().cores, 2) and prod(axis.tiles for axis in chosen.axes) > 20
    assert chosen.cut and chosen.contraction.condition(chosen.contraction.sums[chosen.cut.level].name)
    assert plan(near.c, 16).units > 20 and not plan(near.c, 16).cut
    check([far], lanes=(16,))


def test_plans_print():
    assert str(plan(matmul(512, 512, 512).c, 16)) == (
        "40 units: i 82x6+4x5 in blocks of 18; j 8x64 in blocks of 1, sum k:512/2, in blocks of k:256, fetches i ahead"
    )
    assert str(matmul(2, 3, 4).c) == "float m i:2(4,0)  n j:3(0,1)  k k:4(1,3)  lanes j"


# Hooks


def test_every_element_is_finished_once_with_its_coordinates():
    conv, long_sum = Conv(2, 3, 5, (6, 9), (3, 3), pad=(1, 1)).forward(), matmul(37, 45, 600)
    side_by_side = [pixels(6, 64, 64, (7, 7)).c, pixels(4, 64, 64, (13, 13), 2).c]
    for c in (conv.c, long_sum.c, summed(7, 9, 3, 16).c, *side_by_side):
        strides, size = result_strides(c)
        for lanes in LANES:
            module = Module("count")
            b = module.function("count", [("ptr", "a"), ("ptr", "b"), ("ptr", "c"), ("i64", "begin"), ("i64", "end")])
            a, bp, out, begin, end = b.args

            def finish(into, coords, acc, active, across, out=out, c=c, strides=strides):
                for lane in range(active):
                    index = i64(lane * strides.get(c.lanes, 0))
                    for name, (base, constant) in coords.items():
                        index = into.add(index, into.mul(into.add(base, constant), strides[name]))
                    place = into.gep(out, index, "i32")
                    into.store(into.add(into.load(place, "i32"), 1), place)

            emit(b, c, lanes, a, bp, finish, begin, end)
            b.ret()
            counts = np.zeros(size, np.int32)
            operand = np.zeros(100000, np.float32)
            native = jit.compile_text([str(module)], ["count"])
            middle = operand.ctypes.data + 4 * 5000
            native.function("count", *SIGNATURE)(middle, middle, counts.ctypes.data, 0, units(c, lanes))
            assert (counts == 1).all()


FETCHING = [
    matmul(8, 48, 64), matmul(37, 45, 31), matmul(6, 100, 17, "T"), Conv(1, 3, 8, (18, 18), (3, 3)).forward(),
    Conv(1, 2, 21, (9, 18), (3, 3), pad=(1, 1)).forward(), Conv(2, 40, 7, (5, 17), (1, 1)).forward(),
    Conv(2, 3, 5, (6, 19), (3, 3), pad=(1, 1)).forward(),
    Case(Contraction((), (), (Dim("j", 45, 0, 1),), (Dim("k", 31, 1, 45),), "j"), 31, 31 * 45, 0, 0),  # a single row
    matmul(64, 530, 520), matmul(64, 530, 521, "T"),  # whose sums are cut
]  # fmt: skip


@pytest.mark.parametrize("some", FETCHING)
def test_the_place_of_every_result_is_fetched_before_it_is_stored(some):
    c = some.c
    strides, size = result_strides(c)
    for lanes in LANES:
        module = Module("marks")
        b = module.function("marks", [("ptr", "a"), ("ptr", "b"), ("ptr", "c"), ("i64", "begin"), ("i64", "end")])
        a, bp, out, begin, end = b.args

        def mark(into, coords, bit, out=out):
            index = i64(0)
            for name, (base, constant) in coords.items():
                index = into.add(index, into.mul(into.add(base, constant), strides[name]))
            place = into.gep(out, index, "i32")
            into.store(into.int_op("or", into.load(place, "i32"), bit), place)

        def finish(into, coords, acc, active, across, mark=mark):
            mark(into, coords, 2)

        emit(b, c, lanes, a, bp, finish, begin, end, lambda into, coords, near, mark=mark: mark(into, coords, 1))
        b.ret()
        marks, operand = np.zeros(2 * size, np.int32), np.zeros(100000, np.float32)
        native = jit.compile_text([str(module)], ["marks"])
        middle = operand.ctypes.data + 4 * 5000
        native.function("marks", *SIGNATURE)(middle, middle, marks.ctypes.data, 0, units(c, lanes))
        assert 3 in marks and 2 not in marks


@pytest.mark.parametrize("m", [5, 25])
@pytest.mark.parametrize("b_rows", "NT")
def test_transforms_see_every_value_and_its_coordinates(b_rows, m):
    """A is scaled by 1 + k, B by 1 + 2 k, before or after it is turned or packed."""
    n, k = 37, 21
    some = matmul(m, n, k, "N", b_rows)

    def scaled(by):
        def transform(b, coords, value):
            base, constant = coords["k"]
            factor = b.convert("sitofp", b.add(b.mul(b.add(base, constant), by), 1), "float")
            return b.fmul(value, b.splat(factor, value.lanes))

        return transform

    c = replace(some.c, a_transform=scaled(1), b_transform=scaled(2))
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((k, n)).astype(np.float32)
    steps = np.arange(k, dtype=np.float32)
    scaled_a, scaled_b = a * (1 + steps), b * (1 + 2 * steps)[:, None]
    stored = [np.ascontiguousarray(x if b_rows == "N" else x.T) for x in (b, scaled_b)]
    texts = [kernel_text("plain", some.c, 16)] + [kernel_text(f"hooked{lanes}", c, lanes) for lanes in LANES]
    native = jit.compile_text(texts, ["plain", *(f"hooked{lanes}" for lanes in LANES)])
    expected, out = np.empty((m, n), np.float32), np.empty((m, n), np.float32)
    run = native.function("plain", *SIGNATURE)
    run(scaled_a.ctypes.data, stored[1].ctypes.data, expected.ctypes.data, 0, units(some.c, 16))
    for lanes in LANES:
        run = native.function(f"hooked{lanes}", *SIGNATURE)
        run(a.ctypes.data, stored[0].ctypes.data, out.ctypes.data, 0, units(c, lanes))
        assert (out == expected).all()


# What is refused

GOOD = {"m": (Dim("i", 2, 1, 0),), "n": (Dim("j", 2, 0, 1),), "k": (Dim("k", 2, 1, 1),), "lanes": "j"}


def test_words_are_of_one_row():
    inner = Dim("l", 21, 1, 1)
    some = Contraction(
        m=(Dim("i", 3, 60, 0),), n=(Dim("j", 4, 0, 60),), k=(Dim("k", 2, 30, 30), inner), lanes="j", twos=True
    )
    with pytest.raises(ValueError, match=r"terms by twos, but l:21\(1,1\) of .* is odd"):
        plan(some, 16)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"m": (Dim("j", 2, 1, 0),)}, "different names"),
        ({"k": (Dim("k", 0, 1, 1),)}, "extent 0"),
        ({"m": (Dim("i", 2, 1, 1),)}, "expected it in batch"),
        ({"lanes": "x"}, "not a dim"),
        ({"element": "half"}, "float or double"),
        ({"k": (Dim("k", 17, 1, 1),), "lanes": "k"}, "more than 16"),
        ({"lane_tail": ("k", 1)}, "lane_tail"),
        ({"inside": (Inside("i", "j", 1, 1, 0, 2),)}, "does not relate"),
        ({"inside": (Inside("i", "k", 1, 1, 0, 2),), "lanes": "k"}, "does not relate"),
        ({"inside": (Inside("i", "k", 1, 1, 0, 2), Inside("i", "k", 1, 1, 0, 2))}, "at most one"),
        ({"twos": True, "lanes": "k"}, "terms by twos"),
    ],
)
def test_contradictions_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Contraction(**{**GOOD, **wrong})


# What a mask leaves out


def blanked(rows, terms, transposed, odd, batch=1):
    """Fills first the scalar operand, with blank blocks at random, then the vectors, perhaps with odd numbers."""
    calls = count()

    def fill(rng, size, dtype):
        found = rng.standard_normal(size).astype(dtype)
        if next(calls) % 2:
            if odd:
                found[rng.integers(0, size, size // 40)] = np.nan
                found[rng.integers(0, size, size // 40)] = np.inf
            return found
        by_term = found.reshape(batch, terms, rows).swapaxes(1, 2)
        for matrix in by_term if transposed else found.reshape(batch, rows, terms):
            for r, t in product(range(0, rows, ROWS), range(0, terms, TERMS)):
                kind = rng.integers(0, 4)
                block = matrix[r : r + ROWS, t : t + TERMS]
                if kind < 3:
                    block[...] = 0.0
                if kind == 2:  # but for one factor, or its sign
                    block[rng.integers(0, block.shape[0]), rng.integers(0, block.shape[1])] = rng.choice([1.0, -0.0])
        return found

    return fill


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("a", "NT")
@pytest.mark.parametrize("terms", [128, 129, 200, 257, 700])
def test_blank_blocks_change_no_bit(terms, a, odd):
    for rows, columns in ((1, 16), (3, 40), (17, 64), (33, 7), (130, 65)):
        case = matmul(rows, columns, terms, a, masked=True)
        if rows > 1:
            assert all(may_skip(plan(case.c, lanes)) for lanes in LANES)
        check([case], fill=blanked(rows, terms, a == "T", odd))
        check([replace(case, c=replace(case.c, element="double"))], fill=blanked(rows, terms, a == "T", odd))


@pytest.mark.parametrize("a", "NT")
def test_each_matrix_of_a_batch_has_its_own(a):
    rows, columns, terms = 40, 33, 300
    case = matmul(rows, columns, terms, a, masked=True)
    batch = (Dim("b", 3, rows * terms, columns * terms),)
    case = replace(case, c=replace(case.c, batch=batch), a=3 * case.a, b=3 * case.b)
    assert all(may_skip(plan(case.c, lanes)) for lanes in LANES)
    check([case], fill=blanked(rows, terms, a == "T", True, 3))


@pytest.mark.parametrize("a", "NT")
def test_an_accumulator_that_is_negative_zero_takes_part(a):
    """Products that round to -0.0, then a blank block, whose terms are +0.0: that makes it +0.0."""
    calls = count()

    def fill(rng, size, dtype):
        if next(calls) % 2 == 0:
            matrix = np.zeros((20, 192), dtype)
            matrix[:, :TERMS] = 1e-30
            return matrix.T.reshape(-1) if a == "T" else matrix.reshape(-1)
        vectors = np.full((192, 32), 1.0, dtype)
        vectors[:TERMS] = -1e-30
        return vectors.reshape(-1)

    check([matmul(20, 32, 192, a, masked=True)], fill=fill)


def test_what_is_not_looked_at():
    chosen = plan(matmul(40, 33, 300).c, 16)
    assert not may_skip(chosen) and "vector.reduce.or" not in kernel_text("k", chosen.contraction, 16)
    assert not may_skip(plan(matmul(40, 33, 2 * TERMS - 1, masked=True).c, 16))
    assert not may_skip(plan(matmul(40, 33, 300, b="T", masked=True).c, 16))
    masked = plan(matmul(40, 33, 300, masked=True).c, 16)
    assert may_skip(masked) and "vector.reduce.or" in kernel_text("k", masked.contraction, 16)
