"""Images with their channels innermost: which, and that nothing but their place in memory changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from modes import threads
from stages import prepared

import graphc as ms
from graphc import Tensor, ops
from graphc.ir import Graph
from graphc.passes.innermost import channels_last
from graphc.passes.layout import layout
from graphc.schedule import Layout
from graphc.trace import trace

Loss = Callable[..., Any]


def graph_of(function: Loss, *shapes: tuple[int, ...]) -> Graph:
    return prepared(trace(function, tuple(map(ops.ones, shapes)), {}, "f").graph)


def lying(function: Loss, *shapes: tuple[int, ...]) -> list[str]:
    """The ops whose results have their channels innermost."""
    graph = graph_of(function, *shapes)
    found = channels_last(graph)
    return [node.op for node in graph.nodes if node in found]


def conv(x: Tensor, w: Tensor) -> Tensor:
    """A convolution of an image or of tokens; by channel, where the weights have one for each."""
    x = image(x, 8, 6) if len(x.shape) == 3 else x
    return ops.conv2d(x, w, pad_mode="same", groups=x.shape[1] // w.shape[1])


def tokens(x: Tensor) -> Tensor:
    return x.flatten(start_dim=2).swapaxes(1, 2)


def image(x: Tensor, *size: int) -> Tensor:
    return x.swapaxes(1, 2).reshape(x.shape[0], x.shape[2], *size)


X, TOKENS, DENSE, BY_CHANNEL = (2, 32, 8, 6), (2, 48, 32), (32, 32, 5, 5), (32, 1, 5, 5)


@pytest.mark.parametrize(("x", "w"), [(X, DENSE), (TOKENS, BY_CHANNEL)])
def test_what_is_read_with_its_channels_side_by_side_lies_so(x: tuple[int, ...], w: tuple[int, ...]) -> None:
    assert lying(lambda x, w: ops.tanh(tokens(ops.relu(conv(x, w)))), x, w) == ["conv", "relu"]
    assert lying(lambda x, w: ops.tanh(ops.relu(conv(x, w)).transpose(0, 2, 3, 1)), x, w) == ["conv", "relu"]
    assert lying(lambda x, w: ops.softmax(tokens(ops.relu(conv(x, w))), -1), x, w) == ["conv", "relu"]


@pytest.mark.parametrize(("x", "w"), [(X, DENSE), (TOKENS, BY_CHANNEL)])
def test_what_is_read_along_rows_does_not(x: tuple[int, ...], w: tuple[int, ...]) -> None:
    assert lying(lambda x, w: ops.tanh(ops.relu(conv(x, w)).flatten(start_dim=2)), x, w) == []
    assert lying(lambda x, w: ops.avg_pool2d(ops.relu(conv(x, w)), 2, 2), x, w) == []
    assert lying(lambda x, w: ops.relu(conv(x, w)), x, w) == []  # the caller reads rows


def test_where_both_orders_are_read_as_much_images_lie_in_rows() -> None:
    assert lying(lambda x, w: ops.tanh(tokens(conv(x, w))), X, BY_CHANNEL) == []


def test_a_result_lies_in_rows_and_all_that_lies_as_it_does() -> None:
    def both(x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        h = conv(x, w)
        return h, ops.tanh(tokens(ops.relu(h)))

    assert lying(both, TOKENS, BY_CHANNEL) == []
    assert lying(lambda x, w: ops.tanh(tokens(x)), X, BY_CHANNEL) == []  # no convolution


def test_convolutions_of_single_channels_or_pixels_lead_from_one_to_the_next() -> None:
    def twice(x: Tensor, w: Tensor, v: Tensor) -> Tensor:
        return ops.tanh(tokens(conv(ops.relu(conv(x, w)), v)))

    assert lying(twice, X, DENSE, BY_CHANNEL) == ["conv", "relu", "conv"]
    assert lying(twice, X, DENSE, (48, 32, 1, 1)) == ["conv", "relu", "conv"]
    assert lying(twice, X, DENSE, DENSE) == ["conv"]  # the other is read by a convolution, in rows


def test_what_is_joined_lies_as_its_parts() -> None:
    def joined(x: Tensor, w: Tensor, v: Tensor) -> Tensor:
        return ops.tanh(tokens(ops.cat((conv(x, w), ops.relu(conv(x, v))), 1)))

    assert lying(joined, X, DENSE, (16, 32, 3, 3)) == ["conv", "conv", "relu"]
    assert lying(joined, X, DENSE, (8, 32, 3, 3)) == []  # one has channels too few for a vector


def test_the_larger_part_decides() -> None:
    def between(x: Tensor, w: Tensor, rows: int) -> list[Tensor]:
        h = conv(x, w)
        return [ops.tanh(tokens(h)), *(ops.avg_pool2d(h, n, n) for n in range(1, 1 + rows))]

    for rows, found in ((0, True), (1, True), (2, False)):
        made = lying(lambda x, w, rows=rows: between(x, w, rows), TOKENS, BY_CHANNEL)
        assert ("conv" in made) == found


def test_few_channels_fill_no_vector() -> None:
    assert lying(lambda x, w: ops.tanh(tokens(conv(x, w))), (2, 15, 8, 6), (15, 1, 5, 5)) == []


def test_the_memory_of_a_view_is_that_of_what_it_shows() -> None:
    """No copy is made, and the tokens are read one after the other."""
    graph, layouts = layout(graph_of(lambda x, w: ops.tanh(tokens(conv(x, w))), (2, 48, 32), BY_CHANNEL))
    (made,) = (node for node in graph.nodes if node.op == "conv")
    assert layouts == {made: Layout(made.shape, False, (0, 2, 3, 1))}


def _mlp(x: Tensor, w: Tensor, v: Tensor, b: Tensor) -> Tensor:
    h = ops.matmul(x, v)
    h = tokens(conv(image(h, 7, 5), w) + b.reshape(1, -1, 1, 1))
    return (ops.matmul(ops.gelu(h), v.swapaxes(0, 1)) ** 2).mean()


def _block(x: Tensor, w: Tensor, v: Tensor, b: Tensor) -> Tensor:
    x = ops.conv2d(x, v.reshape(*v.shape, 1, 1))
    for _ in range(2):
        h = conv(x, w).transpose(0, 2, 3, 1)
        h = (h - h.mean(-1, keep_dims=True)) * b
        x = x + ops.matmul(ops.relu(h), ops.matmul(v, v.swapaxes(0, 1))).transpose(0, 3, 1, 2)
    return (x.mean((2, 3)) ** 2).sum()


def _separable(x: Tensor, w: Tensor, v: Tensor, b: Tensor) -> Tensor:
    """Strided; and the sum over an image is over its columns."""
    h = ops.conv2d(image(x, 7, 5), w, stride=2, pad_mode="pad", padding=2, groups=w.shape[0])
    h = ops.conv2d(ops.relu(h), v.swapaxes(0, 1).reshape(*v.shape[::-1], 1, 1))
    return (ops.softmax(tokens(h), -1) * ops.softmax(tokens(h), 1)).max() + (h.sum((2, 3)) * h.max()).mean()


PROGRAMS = {
    "mlp": (_mlp, lambda n, c: ((n, 35, 24), (c, 1, 3, 3), (24, c), (c,))),
    "block": (_block, lambda n, c: ((n, 24, 6, 9), (c, 1, 5, 5), (c, 24), (c,))),
    "separable": (_separable, lambda n, c: ((n, 35, c), (c, 1, 3, 3), (c, 33), (c,))),
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(("images", "channels"), [(1, 16), (2, 17), (3, 64), (7, 33), (16, 31), (17, 129)])
@pytest.mark.parametrize("count", [1, 2])
def test_training_steps_are_the_same_bits_in_both_modes(program: str, images: int, channels: int, count: int) -> None:
    loss, shapes = PROGRAMS[program]
    rng = np.random.default_rng(images)
    arguments = [Tensor(rng.standard_normal(shape).astype(np.float32) / 3) for shape in shapes(images, channels)]
    step = ms.value_and_grad(loss, (0, 1, 2, 3))
    graph = prepared(trace(step, tuple(arguments), {}, "step").graph)
    assert len([n for n in channels_last(graph) if n.op == "conv"]) >= 1
    found = []
    with threads(count):
        for function in (step, ms.jit(step)):
            value, grads = function(*arguments)
            found.append([value.asnumpy(), *(g.asnumpy() for g in grads)])
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_gradients_read_images_as_they_lie() -> None:
    loss, shapes = PROGRAMS["block"]
    graph, layouts = layout(graph_of(ms.value_and_grad(loss, (0, 1, 2, 3)), *shapes(3, 32)))
    last = [n for n, held in layouts.items() if held.order == (0, 2, 3, 1)]
    assert len(last) > 4 and not any(n.op == "copy" and n.operands[0] in last for n in graph.nodes)
