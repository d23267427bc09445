"""Random graphs for hypothesis: DAGs over every family of ops, with small odd shapes and every dtype.

    @given(graphs())
    def test(made: Made) -> None:
        outputs = reference.run(made.graph, made.arrays())

A graph grows node by node: an op is drawn, operands of its kind are drawn from what there is, and what does not fit is
brought into shape (positions are reduced modulo the axis they index). All draws are small, so failures shrink well.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from reference import input_arrays

from graphc.dispatch import MOVING
from graphc.dtype import ALL, DType, bool_, float32, float64, int32, int64
from graphc.ir import Graph, Node, TensorType, constant_node, input_node, verify
from graphc.op import TABLE, infer_node

EXTENTS = (1, 2, 3, 5, 7, 17)
LARGEST = 1500
"""The most elements a value has: many small tensors find more than few large ones."""


class Made:
    """A graph, and the seed of the values of its inputs; prints as the graph's text."""

    def __init__(self, graph: Graph, seed: int) -> None:
        self.graph, self.seed = graph, seed

    def arrays(self) -> list[np.ndarray]:
        """Values for the inputs."""
        return input_arrays(self.graph, self.seed)

    def __repr__(self) -> str:
        return f"seed {self.seed}\n{self.graph}"


class Growing:
    """A graph under construction: the draws, and the nodes so far."""

    def __init__(self, draw: st.DrawFn, dtypes: tuple[DType, ...]) -> None:
        self.draw, self.dtypes = draw, dtypes
        self.inputs: list[Node] = []
        self.nodes: list[Node] = []
        self.grown: list[Node] = []  # those that compute something

    # Draws

    def one_of(self, items: Any) -> Any:
        """One of the items; of a string, one of its words."""
        return self.draw(st.sampled_from(tuple(items.split() if isinstance(items, str) else items)))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def shape(self, least: int = 0, most: int = 3) -> tuple[int, ...]:
        shape = tuple(self.one_of(EXTENTS) for _ in range(self.number(least, most)))
        while prod(shape) > LARGEST:
            shape = shape[:-1]
        return shape

    def node(self, wanted: Callable[[TensorType], bool] = lambda t: True) -> Node | None:
        """A node of a wanted type, later ones being as likely as all earlier together; None if there is none."""
        fitting = [n for n in self.nodes if wanted(n.type)]
        if not fitting:
            return None
        return fitting[-1] if self.draw(st.booleans()) else self.one_of(fitting)

    def scalar(self, dtype: DType) -> Node:
        value = self.one_of((False, True)) if dtype.is_bool else self.one_of((0, 1, 2, 3))
        return constant_node(self.one_of((value, -0.5, 1.5)) if dtype.is_float else value, dtype)

    # Nodes

    def add_input(self, type_: TensorType) -> Node:
        node = input_node(f"x{len(self.inputs)}", type_)
        self.inputs.append(node)
        self.nodes.append(node)
        return node

    def apply(self, op: str, *operands: Node, **attrs: Any) -> Node:
        attrs = {**TABLE[op].defaults, **attrs}
        type_ = TABLE[op].infer(*(o.type for o in operands), **attrs)
        if any(o.dtype.wide for o in operands) and not TABLE[op].traits & MOVING:  # as `dispatch` has it
            wide = self.apply(op, *(self.cast(o, o.dtype.wide or o.dtype) for o in operands), **attrs)
            return self.cast(wide, type_.dtype)
        node = Node(op, operands, attrs, type_)
        if type_.size <= LARGEST:
            self.nodes.append(node)
            self.grown.append(node)
        return node

    def cast(self, node: Node, dtype: DType) -> Node:
        return node if node.dtype is dtype else self.apply("cast", node, dtype=dtype)

    def like(self, node: Node) -> Node:
        """An operand of the type of `node`: another node, or a scalar in its shape."""
        if self.draw(st.integers(0, 3)):
            return self.node(lambda t: t == node.type) or node
        return self.filled(self.scalar(node.dtype), node.shape)

    def filled(self, scalar: Node, shape: tuple[int, ...]) -> Node:
        return self.apply("broadcast_to", scalar, shape=shape) if shape else scalar

    def positions(self, extent: int, fits: Callable[[TensorType], bool] = lambda t: True) -> Node:
        """An integer node with values in [0, extent)."""
        node = self.node(lambda t: t.dtype in (int32, int64) and fits(t))
        if node is None:
            return self.filled(constant_node(extent // 2, int64), ())
        return self.apply("floor_mod", node, self.filled(constant_node(extent, node.dtype), node.shape))


def _floats(t: TensorType) -> bool:
    return t.dtype.is_float


def _integers(t: TensorType) -> bool:
    return t.dtype.is_int


def _numbers(t: TensorType) -> bool:
    return not t.dtype.is_bool


# One function for each family: grows the graph by a node or two, or by none if nothing fits

_UNARY = "neg abs sign floor sqrt square relu exp tanh sin sigmoid log1p erf softplus reciprocal rsqrt round identity"
_BINARY = "add sub mul div maximum minimum floor_mod atan2 pow"
_BINARY_INT = "add sub mul floor_div floor_mod maximum minimum bitwise_and bitwise_xor bitwise_left_shift pow"
_COMPARE = "less less_equal greater equal not_equal"


def _unary(g: Growing) -> None:
    if node := g.node(_floats):
        g.apply(g.one_of(_UNARY), node)


def _unary_int(g: Growing) -> None:
    if node := g.node(_integers):
        g.apply(g.one_of("neg abs sign bitwise_not square"), node)


def _binary(g: Growing) -> None:
    if node := g.node(_floats):
        pair = [node, g.like(node)]
        g.apply(g.one_of(_BINARY), *(pair if g.draw(st.booleans()) else pair[::-1]))


def _binary_int(g: Growing) -> None:
    if node := g.node(_integers):
        g.apply(g.one_of(_BINARY_INT), node, g.like(node))


def _compare(g: Growing) -> None:
    if node := g.node(_numbers):
        g.apply(g.one_of(_COMPARE), node, g.like(node))


def _logic(g: Growing) -> None:
    if node := g.node(lambda t: t.dtype is bool_):
        if g.draw(st.booleans()):
            g.apply("logical_not", node)
        else:
            g.apply(g.one_of("logical_and logical_or logical_xor"), node, g.like(node))


def _select(g: Growing) -> None:
    if condition := g.node(lambda t: t.dtype is bool_):
        node = g.node(lambda t: t.shape == condition.shape)
        assert node is not None
        g.apply("select", condition, node, g.like(node))


def _cast(g: Growing) -> None:
    if node := g.node():
        g.apply("cast", node, dtype=g.one_of(g.dtypes))


def _broadcast(g: Growing) -> None:
    if node := g.node():
        shape = tuple(g.one_of(EXTENTS) if n == 1 else n for n in node.shape)
        g.apply("broadcast_to", node, shape=(*g.shape(0, 2), *shape))


def _reshape(g: Growing) -> None:
    if node := g.node():
        rest, shape = node.type.size, []
        while rest > 1 and len(shape) < 3:
            divisors = [d for d in range(1, rest + 1) if rest % d == 0]
            shape.append(g.one_of(divisors))
            rest //= shape[-1]
        g.apply("reshape", node, shape=(*shape, *((rest,) if rest > 1 or g.draw(st.booleans()) else ())))


def _transpose(g: Growing) -> None:
    if node := g.node():
        g.apply("transpose", node, perm=tuple(g.draw(st.permutations(range(len(node.shape))))))


def _slice(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim > 0):
        begin = tuple(g.number(0, n - 1) for n in node.shape)
        step = tuple(g.number(1, 3) for _ in node.shape)
        shape = tuple(g.number(1, (n - lo - 1) // s + 1) for n, lo, s in zip(node.shape, begin, step, strict=True))
        g.apply("slice", node, begin=begin, shape=shape, step=step)


def _pad(g: Growing) -> None:
    if node := g.node():
        low, high, interior = (tuple(g.number(0, 2) for _ in node.shape) for _ in range(3))
        g.apply("pad", node, g.scalar(node.dtype), low=low, high=high, interior=interior)


def _flip(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim > 0):
        g.apply("flip", node, axes=tuple(sorted(g.draw(st.sets(st.integers(0, len(node.shape) - 1))))))


def _concat(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim > 0):
        axis = g.number(0, len(node.shape) - 1)

        def fits(t: TensorType) -> bool:
            rest = (t.shape[:axis] + t.shape[axis + 1 :], t.ndim, t.dtype)
            return rest == (node.shape[:axis] + node.shape[axis + 1 :], len(node.shape), node.dtype)

        others = [g.node(fits) or node for _ in range(g.number(1, 2))]
        g.apply("concat", node, *others, axis=axis)


def _run(g: Growing, node: Node) -> tuple[int, int]:
    lo = g.number(0, len(node.shape) - 1)
    return lo, g.number(lo + 1, len(node.shape))


def _reduce(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim > 0 and not t.dtype.is_bool):
        g.apply(g.one_of("sum sum prod max min argmax argmin"), node, run=_run(g, node))


def _reduce_bool(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim > 0 and t.dtype.is_bool):
        g.apply(g.one_of("any all max argmax"), node, run=_run(g, node))


def _softmax(g: Growing) -> None:
    """The form in which reductions join the loops around them."""
    if node := g.node(lambda t: t.ndim > 0 and t.dtype.is_float):
        last = len(node.shape) - 1
        kept = (*node.shape[:last], 1)
        top = g.apply("reshape", g.apply("max", node, run=(last, last + 1)), shape=kept)
        power = g.apply("exp", g.apply("sub", node, g.apply("broadcast_to", top, shape=node.shape)))
        total = g.apply("reshape", g.apply("sum", power, run=(last, last + 1)), shape=kept)
        g.apply("div", power, g.apply("broadcast_to", total, shape=node.shape))


def _scan(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim > 0 and not t.dtype.is_bool):
        g.apply(g.one_of("cumsum cumprod"), node, axis=g.number(0, len(node.shape) - 1))


def _argsort(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim > 0):
        g.apply("argsort", node, descending=g.draw(st.booleans()))


def _matmul(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim in (2, 3) and t.dtype.is_float):
        *batch, m, k = node.shape
        turn_a, turn_b = g.draw(st.booleans()), g.draw(st.booleans())
        inner = m if turn_a else k
        other = g.node(
            lambda t: t.dtype is node.dtype and t.ndim == len(node.shape) and list(t.shape[:-2]) == batch
            and t.shape[-1 if turn_b else -2] == inner
        )  # fmt: skip
        if other is None:
            n = g.one_of(EXTENTS)
            other = g.add_input(TensorType((*batch, *((n, inner) if turn_b else (inner, n))), node.dtype))
        g.apply("matmul", node, other, transpose_a=turn_a, transpose_b=turn_b)


def _conv(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim in (3, 4) and t.dtype.is_float and min(t.shape[2:]) >= 2):
        spatial = node.shape[2:]
        kernel = tuple(g.number(1, min(n, 3)) for n in spatial)
        stride = tuple(g.number(1, 2) for _ in spatial)
        most = [1 if n <= 2 * (k - 1) else 2 for n, k in zip(spatial, kernel, strict=True)]
        dilation = tuple(g.number(1, m) for m in most)
        weight = g.add_input(TensorType((g.one_of((1, 3, 5)), node.shape[1], *kernel), node.dtype))
        low = tuple(g.number(0, 2) for _ in spatial)
        rows = zip(spatial, low, kernel, stride, dilation, strict=True)
        size = tuple((n + lo + g.number(0, 2) - d * (k - 1) - 1) // s + 1 for n, lo, k, s, d in rows)
        g.apply("conv", node, weight, stride=stride, dilation=dilation, low=low, size=size, groups=1)


def _pool(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim in (3, 4) and t.dtype.is_float and min(t.shape[2:]) >= 2):
        spatial = node.shape[2:]
        kernel = tuple(g.number(1, 2) for _ in spatial)
        padding = tuple((g.number(0, k - 1), g.number(0, k - 1)) for k in kernel)
        stride, dilation = tuple(g.number(1, 2) for _ in spatial), tuple(1 for _ in spatial)
        op = g.one_of("max_pool sum_pool max_pool_index")
        g.apply(op, node, kernel=kernel, stride=stride, padding=padding, dilation=dilation)


def _gather(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim > 0):
        axis = g.number(0, len(node.shape) - 1)
        g.apply("gather", node, g.positions(node.shape[axis], lambda t: t.ndim <= 2 and t.size < 40), axis=axis)


def _gather_elements(g: Growing) -> None:
    if node := g.node(lambda t: t.ndim > 0):
        index = g.positions(node.shape[-1], lambda t: t.ndim > 0 and t.shape[:-1] == node.shape[:-1])
        if index.shape:
            g.apply("gather_elements", node, index, axis=len(node.shape) - 1)


def _scatter(g: Growing) -> None:
    if updates := g.node(lambda t: t.ndim in (1, 2) and not t.dtype.is_bool):
        target = g.node(lambda t: t.dtype is updates.dtype and t.ndim > 0 and t.shape[1:] == updates.shape[1:])
        assert target is not None
        index = g.positions(target.shape[0], lambda t: t.shape == updates.shape[:1])
        if index.shape:
            g.apply(g.one_of("scatter_add scatter_set"), target, index, updates)


def _scatter_one(g: Growing) -> None:
    """One row, at a position that is known."""
    if target := g.node(lambda t: t.ndim in (1, 2) and not t.dtype.is_bool):
        updates = g.node(lambda t: t.dtype is target.dtype and t.shape == target.shape[1:])
        index = constant_node(g.number(0, target.shape[0] - 1), int64)
        if updates is not None or len(target.shape) == 1:
            g.apply(g.one_of("scatter_add scatter_set"), target, index, updates or g.scalar(target.dtype))


def _one_hot(g: Growing) -> None:
    index = g.positions(5, lambda t: t.size < 40)
    dtype = g.one_of((float32, float64, int64))
    g.apply("one_hot", index, g.scalar(dtype), g.scalar(dtype), depth=5, axis=g.number(0, len(index.shape)))


def _iota(g: Growing) -> None:
    shape = g.shape(1, 3)
    g.apply("iota", shape=shape, axis=g.number(0, len(shape) - 1), dtype=g.one_of((int64, int32, float32)))


def _random(g: Growing) -> None:
    state = g.node(lambda t: t == TensorType((2,), int64)) or g.add_input(TensorType((2,), int64))
    if g.draw(st.booleans()):
        g.apply("random_bits", state, shape=g.shape())
    else:
        g.apply("random_uniform", state, shape=g.shape(), dtype=g.one_of((float32, float64)))


DATA_MOVEMENT = (_broadcast, _reshape, _transpose, _slice, _pad, _flip, _concat)
FAMILIES = (
    _unary, _unary, _binary, _binary, _unary_int, _binary_int, _compare, _logic, _select, _cast, *DATA_MOVEMENT,
    *DATA_MOVEMENT, _reduce, _reduce, _reduce_bool, _softmax, _scan, _argsort, _matmul, _matmul, _conv, _pool, _gather,
    _gather_elements, _scatter, _scatter_one, _one_hot, _iota, _random,
)  # fmt: skip


@st.composite
def batched_graphs(draw: st.DrawFn, sizes: tuple[int, ...] = (16, 32), most: int = 8) -> Made:
    """A graph that begins with a contraction over a batch: what decides for the batch in the lanes of vectors."""
    g = Growing(draw, (float32,))
    batch, images = g.one_of(sizes), draw(st.booleans())
    if images:
        x = g.add_input(TensorType((batch, g.number(1, 3), g.number(3, 6), g.number(3, 6)), float32))
        kernel = (g.number(1, 3), g.number(1, 3))
        weight = g.add_input(TensorType((g.number(1, 5), x.shape[1], *kernel), float32))
        low = tuple(g.number(0, k - 1) for k in kernel)
        size = tuple(n + lo - k + 1 for n, lo, k in zip(x.shape[2:], low, kernel, strict=True))
        g.apply("conv", x, weight, stride=(1, 1), dilation=(1, 1), low=low, size=size, groups=1)
    else:
        x = g.add_input(TensorType((batch, g.number(1, 9)), float32))
        weight = g.add_input(TensorType((x.shape[1], g.number(1, 9)), float32))
        g.apply("matmul", x, weight, transpose_a=False, transpose_b=False)
    return _finished(g, most, FAMILIES, arguments=1)


@st.composite
def graphs(
    draw: st.DrawFn, families: tuple[Callable[[Growing], None], ...] = FAMILIES, most: int = 12,
    dtypes: tuple[DType, ...] = ALL,
) -> Made:
    """A verified graph with some arguments, some inputs that keep their buffers, outputs, and perhaps updates.

    Args:
        families: what to grow the graph with.
        most: the most steps by which it grows.
        dtypes: of inputs and casts.
    """
    g = Growing(draw, dtypes)
    for _ in range(g.number(1, 3)):
        g.add_input(TensorType(g.shape(0, 4), g.one_of(dtypes)))
    return _finished(g, most, families)


def _finished(g: Growing, most: int, families: tuple[Callable[[Growing], None], ...], arguments: int = -1) -> Made:
    for _ in range(g.number(1, most)):
        g.one_of(families)(g)
    read = {o for node in g.grown for o in node.operands}
    ends = [node for node in g.grown if node not in read] or [g.nodes[-1]]
    extra = [g.one_of(g.nodes)] if g.draw(st.booleans()) else []
    outputs = (*ends[-4:], *extra)
    arguments = g.number(0, len(g.inputs)) if arguments < 0 else arguments
    updates = []
    for target in g.inputs[arguments:]:
        values = [n for n in g.nodes if n.type == target.type and n is not target]
        if values and g.draw(st.booleans()):
            updates.append((target, g.one_of(values)))
    graph = Graph("random", tuple(g.inputs), outputs, tuple(updates), arguments)
    return Made(verify(graph, infer_node), g.number(0, 2**31))
