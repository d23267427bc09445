"""Lowering: groups as loop nests, as text; and that their loops are what memory wants."""

from __future__ import annotations

from math import prod
from textwrap import dedent

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from modes import compiled, eagerly
from reference import assert_same, assert_same_run, input_arrays
from stages import graph_of, prepared, scheduled, training_step

import graphc as ms
from graphc import Tensor, nn, ops
from graphc.compiler import _buffers
from graphc.index import Gathered, Var
from graphc.loops import Kernel, TiledKernel, gathers
from graphc.passes.fuse import MOST_WORK, fuse
from graphc.passes.lower import lower
from graphc.schedule import Layout, Schedule
from graphc.trace import trace


def kernels(schedule: Schedule) -> list[Kernel | TiledKernel | None]:
    return list(lower(schedule, _buffers(schedule)))


def kernel_text(text: str) -> str:
    """The one kernel of a graph that is only fused."""
    (kernel,) = kernels(fuse(graph_of(text), {}))
    return str(kernel)


def test_a_transposed_read() -> None:
    assert kernel_text(
        """
        graph f(%x: f32[2,3]) {
          %0: f32[2,3] = tanh(%x)
          %1: f32[3,2] = transpose(%0, perm=(1, 0))
          return %1
        }"""
    ) == dedent(
        """\
        kernel tanh(x: f32[6], 1: f32[6]) {
          for i1 in 0..3 {
            for i2 in 0..2 vector {
              1[2*i1+i2] = tanh(x[i1+3*i2])
            }
          }
        }"""
    )


def test_a_contraction_with_its_epilogue() -> None:
    assert kernel_text(
        """
        graph f(%x: f32[4,6]; %w: f32[8,6], %b: f32[8]) {
          %0: f32[4,8] = matmul(%x, %w, transpose_a=False, transpose_b=True)
          %1: f32[4,8] = broadcast_to(%b, shape=(4, 8))
          %2: f32[4,8] = add(%0, %1)
          return %2
        }"""
    ) == dedent(
        """\
        kernel matmul_add(x: f32[24], w: f32[48], b: f32[8], 2: f32[32]) {
          tile i1 in 0..4, i2 in 0..8 vector {
            acc = contract k3 in 0..6 of (x[6*i1+k3] * w[6*i2+k3])
            2[8*i1+i2] = add(acc, b[i2])
          }
        }"""
    )


def test_a_reduction_over_inner_axes() -> None:
    assert kernel_text("graph f(%x: f32[4,6,5]) {\n  %0: f32[4] = sum(%x, run=(1, 3))\n  return %0\n}") == dedent(
        """\
        kernel sum(x: f32[120], 0: f32[4]) {
          for i1 in 0..4 folded {
            0[i1] = sum k2 in 0..30 of (x[30*i1+k2])
          }
        }"""
    )


def test_an_index_that_is_data() -> None:
    text = """
        graph f(%x: f32[10,3], %i: i32[4]) {
          %0: f32[4,3] = gather(%x, %i, axis=0, batch_dims=0)
          return %0
        }"""
    assert "0[3*i1+i2] = x[i2+3*[i64(i[i1])]]" in kernel_text(text)
    (kernel,) = kernels(fuse(graph_of(text), {}))
    assert kernel is not None
    (index,) = gathers(kernel)
    assert index.extent == 10 and str(index.position) == "i1"
    assert index.author is not None and index.author.op == "gather"


def test_sums_of_columns_of_heads() -> None:
    """The bias of an attention's projections: sixteen columns lie in one head, beside each other."""
    assert kernel_text(
        """
        graph f(%x: f32[3,5,4,6,32]) {
          %0: f32[5,6,3,4,32] = transpose(%x, perm=(1, 3, 0, 2, 4))
          %1: f32[30,384] = reshape(%0, shape=(30, 384))
          %2: f32[384] = sum(%1, run=(0, 1))
          return %2
        }"""
    ) == dedent(
        """\
        kernel sum(x: f32[11520], 2: f32[384]) {
          for i1 in 0..384 vector {
            2[i1] = sum k2 in 0..30 of (x[192*((i1)//32)%4+(i1)%32+3840*(i1)//128+32*(k2)%6+768*(k2)//6])
          }
        }"""
    )


@pytest.mark.parametrize(
    ("rows", "width", "woven"), [(2, 24, True), (3, 20, True), (9, 100, True), (12, 24, False)]
)
def test_rows_that_are_woven_into_one_are_read_along(rows: int, width: int, woven: bool) -> None:
    """As by a pixel shuffle: vectors along the result would hold as few elements of each row as there are rows."""
    graph = graph_of(
        f"""
        graph f(%x: f32[7,{rows},30,{width}]) {{
          %0: f32[7,30,{width},{rows}] = transpose(%x, perm=(0, 2, 3, 1))
          %1: f32[7,30,{width},{rows}] = exp(%0)
          return %1
        }}"""
    )
    kernel, *then = kernels(fuse(graph, {}))
    assert isinstance(kernel, Kernel) and kernel.vector is not None and len(then) == (not woven)
    assert (len(kernel.stores) == rows and kernel.vector.extent % width == 0) == woven
    arrays = [np.random.default_rng(0).normal(size=(7, rows, 30, width)).astype(np.float32)]
    assert_same_run(compiled(graph, arrays), eagerly(graph, arrays))


def test_what_is_stored_in_short_runs_is_read_along() -> None:
    """Pairs of features, of a batch whose entries lie side by side: vectors of entries, stored apart."""
    assert kernel_text(
        """
        graph f(%x: f32[3,5,2,16]) {
          %0: f32[16,5,3,2] = transpose(%x, perm=(3, 1, 0, 2))
          return %0
        }"""
    ) == dedent(
        """\
        kernel transpose(x: f32[480], 0: f32[480]) {
          for i2 in 0..5 {
            for i3 in 0..3 {
              for i4 in 0..2 {
                for i1 in 0..16 vector {
                  0[30*i1+6*i2+2*i3+i4] = x[i1+32*i2+160*i3+16*i4]
                }
              }
            }
          }
        }"""
    )


@pytest.mark.parametrize(
    ("terms", "then", "in_lanes"),
    [(4, "neg", True), (10, "neg", True), (16, "neg", False), (4, "", True), (8, "", False), (16, "", False)],
)
def test_short_sums_go_along_rows_unless_they_are_few_terms(terms: int, then: str, in_lanes: bool) -> None:
    """The lanes of 20 sums would read what lies apart; the terms of one are a vector."""
    text = kernel_text(
        f"""
        graph f(%x: f32[50,20,{terms}], %y: f32[20,{terms}]) {{
          %0: f32[50,20,{terms}] = broadcast_to(%y, shape=(50, 20, {terms}))
          %1: f32[50,20,{terms}] = mul(%x, %0)
          %2: f32[50,20] = sum(%1, run=(2, 3))
          %3: f32[50,20] = {then or "reshape"}(%2{"" if then else ", shape=(50, 20)"})
          return %3
        }}"""
    )
    assert ("vector" in text) == in_lanes


@pytest.mark.parametrize(("step", "in_lanes"), [(3, True), (40, False)])
def test_sums_of_what_lies_near_the_lanes_and_apart_along_the_sum_go_in_the_lanes(step: int, in_lanes: bool) -> None:
    graph = graph_of(
        f"""
        graph f(%x: f32[33,64,{step}]) {{
          %0: f32[{step},33,64] = transpose(%x, perm=(2, 0, 1))
          %1: f32[{step},64] = sum(%0, run=(1, 2))
          return %1
        }}"""
    )
    (kernel,) = kernels(fuse(graph, {}))
    assert isinstance(kernel, Kernel)
    assert (kernel.vector is kernel.loops[-1]) == in_lanes


def test_sums_of_rows_that_are_looked_up() -> None:
    """In lanes of entries, each would read a row of its own; vectors of features are stored apart instead."""
    graph = graph_of(
        """
        graph f(%table: f32[50,32], %index: i32[32,20]) {
          %0: f32[32,20,32] = gather(%table, %index, axis=0)
          %1: f32[32,32] = sum(%0, run=(1, 2))
          return %1
        }"""
    )
    (sum_,) = (node for node in graph.nodes if node.op == "sum")
    (kernel,) = kernels(fuse(graph, {sum_: Layout((32, 32), blocked=True)}))
    assert str(kernel) == dedent(
        """\
        kernel gather_sum(index: i32[640], table: f32[1600], 1: f32[1024]) {
          for i1 in 0..2 {
            for lane3 in 0..16 {
              for i2 in 0..32 vector {
                1[512*i1+16*i2+lane3] = sum k4 in 0..20 of (table[i2+32*[i64(index[320*i1+20*lane3+k4])]])
              }
            }
          }
        }"""
    )


@pytest.mark.parametrize(
    "line, loops, store",
    [
        ("%0: f32[2,3,4] = neg(%x)", "in 0..24 vector", "] = neg(x[i"),
        ("%0: f32[24] = reshape(%x, shape=(24,))", "for i1 in 0..24 vector", "0[i1] = x[i1]"),
        ("%0: f32[6,4] = reshape(%x, shape=(6, 4))", "in 0..24 vector", "= x[i"),
        ("%0: f32[2,3,4] = flip(%x, axes=(0, 1, 2))", "in 0..24 vector", "= x[-1*i"),
        ("%0: f32[1,3,1] = slice(%x, begin=(1, 0, 2), shape=(1, 3, 1), step=(1, 1, 1))", "0..3 vector", "= x+14[4*i"),
    ],
)  # fmt: skip
def test_loops_that_memory_steps_through_as_one_are_one(line: str, loops: str, store: str) -> None:
    text = kernel_text(f"graph f(%x: f32[2,3,4]) {{\n  {line}\n  return %0\n}}")
    assert text.count("for ") == 1 and loops in text and store in text, text


def test_a_reshape_that_takes_axes_apart_is_affine() -> None:
    """Loops are split where an address would divide."""
    text = kernel_text(
        """
        graph f(%x: f32[12,5]) {
          %0: f32[5,12] = transpose(%x, perm=(1, 0))
          %1: f32[5,4,3] = reshape(%0, shape=(5, 4, 3))
          %2: f32[4,5,3] = transpose(%1, perm=(1, 0, 2))
          %3: f32[60] = reshape(%2, shape=(60,))
          %4: f32[60] = exp(%3)
          return %4
        }"""
    )
    assert "//" not in text and "%" not in text


def test_what_takes_axes_apart_leaves_no_reduction_a_few_lanes() -> None:
    """Of a gradient of pooling beside one of resizing: pairs of pixels are no vector to sum in."""

    def slope(x: Tensor) -> Tensor:
        def loss(x: Tensor) -> Tensor:
            up = ops.interpolate(x, size=(6, 64), mode="bilinear", align_corners=True)
            return (ops.max_pool2d(x, 2, 2) ** 2).sum() + (up * up).sum()

        return ms.grad(loss)(ops.relu(x))

    found = kernels(scheduled(trace(slope, (ops.ones((3, 5, 6, 32)),), {}, "slope").graph))
    sums = [k for k in found if isinstance(k, Kernel) and k.loops and any(v.kind == "reduce" for v in k.values)]
    assert sums and all(k.vector is None or k.vector.extent >= 6 for k in sums)


def test_loops_of_extent_one_go() -> None:
    text = kernel_text("graph f(%x: f32[1,5,1]) {\n  %0: f32[1,5,1] = exp(%x)\n  return %0\n}")
    assert text.count("for ") == 1 and "0..5 vector" in text


def test_a_scalar_has_no_loops() -> None:
    assert kernel_text("graph f(%x: f32[]) {\n  %0: f32[] = exp(%x)\n  return %0\n}") == (
        "kernel exp(x: f32[1], 0: f32[1]) {\n  0[0] = exp(x[0])\n}"
    )


def test_a_padded_read_is_guarded() -> None:
    text = kernel_text(
        """
        graph f(%x: f32[5]) {
          %0: f32[8] = pad(%x, 1.0, low=(2,), high=(1,), interior=(0,))
          return %0
        }"""
    )
    inside = "and(ge((i1-2), 0), lt((i1-2), 5))"
    assert f"0[i1] = select({inside}, x[i1-2] if {inside}, 1.0)" in text


def test_lanes_are_opened_before_loops_that_do_not_change_what_they_read() -> None:
    """Sixteen entries' gradients of an average, each for a window of pixels: read once for all of these."""
    graph = graph_of(
        """
        graph f(%x: f32[40,6]) {
          %0: f32[40,6] = tanh(%x)
          %1: f32[40,6,1] = reshape(%0, shape=(40, 6, 1))
          %2: f32[40,6,5] = broadcast_to(%1, shape=(40, 6, 5))
          return %0, %2
        }"""
    )
    kernel = kernels(fuse(graph, {n: Layout(n.shape, blocked=True) for n in graph.nodes}))[-1]
    assert isinstance(kernel, Kernel) and [v.extent for v in kernel.loops] == [3, 6, 16, 5]


def test_integer_contractions_are_loops() -> None:
    text = kernel_text(
        """
        graph f(%x: i32[4,6], %w: i32[6,8]) {
          %0: i32[4,8] = matmul(%x, %w, transpose_a=False, transpose_b=False)
          return %0
        }"""
    )
    assert "tile " not in text and "sum k3 in 0..6 of (mul(x[6*i1+k3], w[i2+8*k3]))" in text


def tiles_of(size: tuple[int, int], order: tuple[int, ...] = ()) -> Kernel:
    """What makes tiles, of pairs of rows and columns, of three images with five channels."""
    made = f"f32[3,2,2,5,{size[0] // 2},{size[1] // 2}]"
    graph = graph_of(
        f"""
        graph f(%x: f32[3,5,{size[0]},{size[1]}]) {{
          %0: {made} = to_tiles(%x, matrix=((1, 1), (-1, 1)), step=2, low=(1, 1), count=({size[0] // 2}, {size[1] // 2}))
          return %0
        }}"""  # noqa: E501
    )
    layouts = {graph.outputs[0]: Layout(graph.outputs[0].shape, False, order)} if order else {}
    (kernel,) = kernels(fuse(graph, layouts))
    assert isinstance(kernel, Kernel)
    return kernel


@pytest.mark.parametrize(
    ("size", "loops"), [((8, 8), [3, 5, 16]), ((10, 14), [3, 5, 5, 7]), ((6, 40), [3, 5, 3, 20]), ((4, 4), [3, 5, 4])]
)
def test_tiles_of_short_rows_lie_side_by_side_in_a_vector(size: tuple[int, int], loops: list[int]) -> None:
    kernel = tiles_of(size)
    assert [var.extent for var in kernel.loops] == loops and kernel.vector is kernel.loops[-1]
    assert len(kernel.stores) == 4  # what a tile is made into, at once


def test_tiles_may_be_stored_in_any_order_of_axes() -> None:
    kernel = tiles_of((8, 8), (0, 1, 2, 4, 5, 3))
    assert {var for store in kernel.stores for var in store.address.variables} == {*kernel.loops}
    assert kernel.loops[-1].extent == 5 and all(s.address.coefficient(kernel.loops[-1]) == 1 for s in kernel.stores)


def test_a_hand_made_kernel_has_no_loop_nest() -> None:
    schedule = fuse(graph_of("graph f(%x: f32[5]) {\n  %0: f32[5] = cumsum(%x, axis=0)\n  return %0\n}"), {})
    assert kernels(schedule) == [None]


def check_kernels(schedule: Schedule) -> None:
    """Loop variables are bound, stores stay within their buffers and reach every element of what is row-major."""
    for group, kernel in zip(schedule.groups, kernels(schedule), strict=True):
        if kernel is None or group.joined:
            continue
        assert len(kernel.stores) == len(group.stores)
        bound = set(kernel.loops)
        for store in kernel.stores:
            assert store.address.variables <= bound
            low, high = store.address.bounds
            assert low >= 0 and high < max(store.buffer.elements, 1)
            assert store.value.deps <= bound
            assert store.value.dtype is store.buffer.dtype
        for value in kernel.values:
            if value.kind == "load" and not value.args and not _has_data(value.data[1].terms):
                low, high = value.data[1].bounds
                assert low >= 0 and high < max(value.data[0].elements, 1), f"{value} in {kernel}"


        assert isinstance(kernel, TiledKernel) or _most_repeats(kernel) <= MOST_WORK, str(kernel)


def _most_repeats(kernel: Kernel) -> float:
    """How many times over a reduction is computed: in every iteration of the loops down to the last it depends on.

    One of a single element is none.
    """
    repeats = 0.0
    for value in kernel.values:
        if value.kind == "reduce" and value.data[1].extent > 1 and value.deps <= {*kernel.loops}:
            known = max((at for at, var in enumerate(kernel.loops, 1) if var in value.deps), default=0)
            done = prod(var.extent for var in kernel.loops[:known])
            repeats = max(repeats, done / prod(var.extent for var in value.deps))
    return repeats


NORMS = {
    "groups": lambda c: nn.GroupNorm(2, c), "instance": lambda c: nn.InstanceNorm2d(c),
    "layer": lambda c: nn.LayerNorm((c, 6, 6), 1, 1), "batch": lambda c: nn.BatchNorm2d(c),
}  # fmt: skip


@pytest.mark.parametrize("batch", [3, 16, 32, 40])
@pytest.mark.parametrize("norm", NORMS)
def test_a_normalisation_sums_once(norm: str, batch: int) -> None:
    c = 4 if batch > 8 else 16  # the latter is copied with the channels last
    net = nn.SequentialCell(nn.Conv2d(1, c, 3), NORMS[norm](c), nn.ReLU(), nn.Conv2d(c, 3, 3)).set_train()
    gradients = ms.grad(lambda x: ops.sum(net(x) ** 2), None, net.trainable_params())
    x = Tensor(np.random.default_rng(0).normal(size=(batch, 1, 6, 6)).astype(np.float32))
    check_kernels(scheduled(trace(gradients, (x,), {}, "step").graph))
    for got, wanted in zip(ms.jit(gradients)(x), gradients(x), strict=True):
        assert_same(got.asnumpy(), wanted.asnumpy())


@pytest.mark.parametrize(
    ("channels", "width", "taps", "stride", "features", "across"),
    [
        (64, 28, 3, 1, 80, "i2"),  # rows do not fill vectors, features do
        (64, 32, 3, 1, 80, "i4"),  # so do rows, and there the result is stored by vectors
        (64, 33, 3, 2, 80, "i2"),
        (3, 28, 3, 1, 80, "i4"),  # a short sum, beside which storing features one by one takes long
        (64, 28, 3, 1, 20, "i4"),  # features fill vectors less than rows
        (3, 65, 3, 2, 80, "i4"),  # even from every second element of a row
        (64, 28, 1, 1, 80, "i"),  # no window slides: a product of matrices
        (64, 28, 1, 2, 80, "i4"),  # rows of several images fill vectors
    ],
)
def test_what_lies_across_the_lanes_of_a_convolution_in_rows(
    channels: int, width: int, taps: int, stride: int, features: int, across: str
) -> None:
    size = (width - taps) // stride + 1 if stride > 1 else width
    low = taps // 2 if stride == 1 else 0
    (kernel,) = kernels(fuse(graph_of(
        f"""
        graph f(%x: f32[3,{channels},{width},{width}]; %w: f32[{features},{channels},{taps},{taps}]) {{
          %0: f32[3,{features},{size},{size}] = conv(%x, %w, stride=({stride}, {stride}), dilation=(1, 1), low=({low}, {low}), size=({size}, {size}))
          return %0
        }}"""  # noqa: E501
    ), {}))  # fmt: skip
    assert isinstance(kernel, TiledKernel)
    assert kernel.lanes.name == across or (across == "i" and kernel.lanes.extent == size * size)


@pytest.mark.parametrize(("channels", "batch", "size"), [(13, 3, 5), (16, 40, 4), (40, 2, 9), (192, 100, 4)])
def test_depthwise_channels_that_lie_side_by_side_are_vectors(channels: int, batch: int, size: int) -> None:
    """As after a normalisation over channels: pixels and images lie far apart, channels move both operands."""
    x, w = f"%x: f32[{batch},{size},{size},{channels}]", f"%w: f32[{channels},1,7,7]"
    shape, attrs = f"f32[{batch},{channels},{size},{size}]", "stride=(1, 1), dilation=(1, 1), low=(3, 3)"
    graph = graph_of(
        f"""
        graph f({x}; {w}) {{
          %0: {shape} = transpose(%x, perm=(0, 3, 1, 2))
          %1: {shape} = conv(%0, %w, {attrs}, size=({size}, {size}), groups={channels})
          return %1
        }}"""
    )
    kernel = next(k for k in kernels(fuse(graph, {})) if isinstance(k, TiledKernel))
    assert kernel.lanes.extent == channels and kernel.b.data[1].coefficient(kernel.lanes) == 1
    arrays = input_arrays(graph, 0)
    assert_same_run(compiled(graph, arrays), eagerly(graph, arrays))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_gradient_of_weights_of_one_tap_is_stored_as_it_lies(stride: int) -> None:
    (kernel,) = kernels(fuse(graph_of(
        f"""
        graph f(%x: f32[5,96,14,14], %ct: f32[5,128,{14 // stride},{14 // stride}]) {{
          %0: f32[128,96,1,1] = conv_grad_weight(%x, %ct, kernel=(1, 1), stride=({stride}, {stride}), dilation=(1, 1), low=(0, 0))
          return %0
        }}"""  # noqa: E501
    ), {}))  # fmt: skip
    assert isinstance(kernel, TiledKernel)
    assert kernel.lanes.extent == 96 and kernel.stores[0].address.coefficient(kernel.lanes) == 1


@pytest.mark.parametrize(
    ("steps", "columns", "along"), [(1, 20, True), (1, 2, True), (1, 1, False), (8, 2, False), (8, 20, True)]
)
def test_short_sums_lie_across_the_lanes_as_they_are_stored(steps: int, columns: int, along: bool) -> None:
    """A product of one row and one column is all stores; with every step one vector of short rows costs more."""
    (kernel,) = kernels(fuse(graph_of(
        f"""
        graph f(%x: f32[{steps},300], %y: f32[{steps},{columns}]) {{
          %0: f32[300,{columns}] = matmul(%x, %y, transpose_a=True, transpose_b=False)
          return %0
        }}"""
    ), {}))  # fmt: skip
    assert isinstance(kernel, TiledKernel)
    assert (kernel.lanes.extent == columns) is along


def _has_data(terms: object) -> bool:
    return any(
        isinstance(atom, Gathered) or (not isinstance(atom, Var) and _has_data(atom.of.terms))
        for atom, _ in terms  # type: ignore[attr-defined]
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(graphs(most=14))
def test_kernels_of_random_graphs_stay_in_their_buffers(made: Made) -> None:
    check_kernels(fuse(prepared(made.graph), {}))
    check_kernels(scheduled(made.graph))


@pytest.mark.parametrize("batch", [2, 16])
def test_kernels_of_a_training_step(batch: int) -> None:
    schedule = scheduled(training_step(batch))
    check_kernels(schedule)
    made = kernels(schedule)
    assert sum(isinstance(k, TiledKernel) for k in made) == sum(g.contraction is not None for g in schedule.groups)


@pytest.mark.parametrize(
    ("rows", "length", "reduced", "folded"),
    [
        (8, 20, "max", True), (8, 20, "sum", False),  # one sum is folded while the next row is begun
        (3, 20, "max", False), (8, 300, "max", False),  # too few rows; sixteen leave the first-level cache
    ],
)  # fmt: skip
def test_short_rows_are_folded_sixteen_at_once(rows: int, length: int, reduced: str, folded: bool) -> None:
    text = kernel_text(f"""
        graph f(%x: f32[{rows},{length}]) {{
          %0: f32[{rows}] = {reduced}(%x, run=(1, 2))
          %1: f32[{rows},1] = reshape(%0, shape=({rows}, 1))
          %2: f32[{rows},{length}] = broadcast_to(%1, shape=({rows}, {length}))
          %3: f32[{rows},{length}] = mul(%x, %2)
          return %3
        }}""")
    assert (f"for i1 in 0..{rows} folded {{" in text) == folded
