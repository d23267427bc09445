"""Convolutions in tiles: which, what becomes of them, how near they are to the sum of products, and the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from modes import compiled, eagerly, threads
from reference import assert_same_run
from stages import graph_of, prepared

import graphc as ms
from graphc import Tensor, ops
from graphc.ir import Graph
from graphc.passes import winograd as pass_
from graphc.passes.layout import layout
from graphc.passes.winograd import winograd
from graphc.trace import trace


def convolution(
    images: int, channels: int, features: int, size: Sequence[int], low: Sequence[int] = (1, 1), taps: int = 3,
    stride: int = 1, dilation: int = 1, groups: int = 1, dtype: str = "f32", view: str = "",
) -> Graph:  # fmt: skip
    """Of which there are `size` windows; of weights as they are, or of a `view` of them, as in a gradient."""
    extent = [(n - 1) * stride + (taps - 1) * dilation + 1 - 2 * lo for n, lo in zip(size, low, strict=True)]
    across = (features, channels // groups)
    stored = across[::-1] if "turned" in view else across
    lines, last = [], "%w"
    for word, made in (("turned", "transpose(%s, perm=(1, 0, 2, 3))"), ("flipped", "flip(%s, axes=(2, 3))")):
        if word in view:
            lines.append(f"%{len(lines)}: {dtype}[{across[0]},{across[1]},{taps},{taps}] = {made % last}")
            last = f"%{len(lines) - 1}"
    result = f"%{len(lines)}"
    both = f"stride=({stride}, {stride}), dilation=({dilation}, {dilation})"
    lines.append(
        f"{result}: {dtype}[{images},{features},{size[0]},{size[1]}] = conv(%x, {last}, {both}, "
        f"low=({low[0]}, {low[1]}), size=({size[0]}, {size[1]}), groups={groups})"
    )
    image = f"{dtype}[{images},{channels},{extent[0]},{extent[1]}]"
    head = f"graph f(%x: {image}, %w: {dtype}[{stored[0]},{stored[1]},{taps},{taps}]) {{"
    return graph_of("\n".join([head, *lines, f"return {result}", "}"]))


def gradient_of_weights(
    images: int, channels: int, features: int, size: Sequence[int], low: Sequence[int] = (1, 1)
) -> Graph:
    extent = [n + 2 - 2 * lo for n, lo in zip(size, low, strict=True)]
    return graph_of(
        f"""
        graph f(%x: f32[{images},{channels},{extent[0]},{extent[1]}], %ct: f32[{images},{features},{size[0]},{size[1]}]) {{
          %0: f32[{features},{channels},3,3] = conv_grad_weight(%x, %ct, kernel=(3, 3), stride=(1, 1), dilation=(1, 1), low=({low[0]}, {low[1]}))
          return %0
        }}"""  # noqa: E501
    )  # fmt: skip


def arguments(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(i.shape).astype(i.dtype.np) for i in graph.inputs]


def ops_of(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes if node.op not in ("input", "constant")]


def test_a_convolution_becomes_a_product_of_tiles() -> None:
    expected = """
        graph f(%x: f32[2,16,8,8], %w: f32[24,16,3,3]) {
          %0: f32[1,384,3,3] = reshape(%w, shape=(1, 384, 3, 3))
          %1: f32[1,4,4,384,1,1] = to_tiles(%0, matrix=((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)), step=1, low=(0, 0), count=(1, 1))
          %2: f32[16,24,16] = reshape(%1, shape=(16, 24, 16))
          %3: f32[2,16,24,16] = broadcast_to(%2, shape=(2, 16, 24, 16))
          %4: f32[2,4,4,16,4,4] = to_tiles(%x, matrix=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)), step=2, low=(1, 1), count=(4, 4))
          %5: f32[2,16,16,16] = reshape(%4, shape=(2, 16, 16, 16))
          %6: f32[2,16,24,16] = matmul(%3, %5, transpose_a=False, transpose_b=False)
          %7: f32[2,4,4,24,4,4] = reshape(%6, shape=(2, 4, 4, 24, 4, 4))
          %8: f32[2,24,8,8] = from_tiles(%7, matrix=((1, 1, 1, 0), (0, 1, -1, -1)))
          return %8
        }"""  # noqa: E501
    assert str(winograd(convolution(2, 16, 24, (8, 8)))).split() == expected.split()


@pytest.mark.parametrize(
    ("graph", "tiles"),
    [
        (convolution(1, 16, 16, (8, 8)), True),
        (convolution(64, 16, 16, (8, 8)), True),
        (convolution(1, 15, 64, (32, 32)), False),  # few channels
        (convolution(1, 64, 15, (32, 32)), False),
        (convolution(64, 64, 64, (6, 6)), False),  # few tiles
        (convolution(1, 64, 64, (9, 9)), False),  # of which many would reach beyond
        (convolution(1, 64, 64, (11, 11)), True),
        (convolution(1, 64, 64, (2, 32)), True),
        (convolution(1, 64, 64, (32, 32), stride=2), False),
        (convolution(1, 64, 64, (32, 32), dilation=2), False),
        (convolution(1, 64, 64, (32, 32), groups=2), False),
        (convolution(1, 64, 64, (32, 32), taps=5), False),
        (convolution(1, 64, 64, (32, 32), taps=1), False),
        (convolution(1, 64, 64, (32, 32), dtype="f64"), False),
        (convolution(1, 16, 16, (96, 96)), True),
        (convolution(1, 16, 16, (128, 128)), False),  # tiles that go to memory, for few channels
        (convolution(1, 32, 32, (128, 128)), True),
        (gradient_of_weights(1, 32, 32, (8, 8)), True),
        (gradient_of_weights(1, 31, 64, (8, 8)), False),
        (gradient_of_weights(1, 512, 512, (56, 56)), False),  # tiles of one image are more than a cache holds
        (gradient_of_weights(256, 64, 64, (32, 32)), True),
        (gradient_of_weights(600, 64, 64, (32, 32)), False),  # or a part of so many
    ],
    ids=lambda x: str(x.nodes[-1].attrs) if isinstance(x, Graph) else "",
)
def test_which_convolutions(graph: Graph, tiles: bool) -> None:
    assert ("to_tiles" in ops_of(winograd(graph))) == tiles


CASES = [
    convolution(*case)
    for case in [
        (1, 16, 17, (8, 8)),
        (3, 33, 16, (14, 10), (0, 0)),
        (2, 16, 31, (11, 13), (2, 1)),
        (17, 16, 16, (8, 17), (0, 1)),
        (16, 20, 16, (16, 4), (-1, 1)),
        (2, 16, 16, (33, 7), (1, 0)),
        (1, 129, 16, (12, 28)),
        (0, 16, 16, (8, 8)),
    ]
] + [
    convolution(2, 18, 21, (8, 12), view=view) for view in ("turned", "flipped", "turned and flipped")
] + [
    gradient_of_weights(*case)
    for case in [
        (1, 32, 33, (8, 8)),
        (3, 33, 32, (14, 10), (0, 0)),
        (9, 32, 32, (11, 13), (2, 1)),
        (17, 32, 40, (8, 17), (-1, 1)),
    ]
]  # fmt: skip


def of_sums(graph: Graph, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """The same of float64, of which there are no tiles."""
    return eagerly(graph_of(str(graph).replace("f32", "f64")), [array.astype(np.float64) for array in inputs])[0][0]


@pytest.mark.parametrize("graph", CASES, ids=lambda graph: ", ".join(str(i.type) for i in graph.inputs))
def test_as_near_to_the_sum_of_products_as_a_chain_is(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = arguments(graph)
    assert "to_tiles" in ops_of(winograd(graph))
    tiles, exact = compiled(graph, inputs)[0][0], of_sums(graph, inputs)
    with monkeypatch.context() as patch:
        patch.setattr(pass_, "fits_tiles", lambda *of: False)
        chain = compiled(graph, inputs)[0][0]
    assert tiles.shape == exact.shape
    if exact.size and inputs[0].size:
        worst = np.abs(exact).max()
        assert np.abs(tiles - exact).max() <= max(3 * np.abs(chain - exact).max(), 2e-7 * worst)
        assert not np.array_equal(tiles, chain)
    else:
        assert np.array_equal(tiles, exact)


@pytest.mark.parametrize("graph", CASES, ids=lambda graph: ", ".join(str(i.type) for i in graph.inputs))
def test_op_by_op_and_compiled_are_the_same_bits(graph: Graph) -> None:
    inputs = arguments(graph)
    assert_same_run(eagerly(graph, inputs), compiled(graph, inputs))


def test_of_each_sum_what_is_added_comes_first() -> None:
    """And the sum over rows before that over columns: 1e8 + 1 is 1e8 of float32."""
    graph = graph_of(
        """
        graph f(%x: f32[1,1,3]) {
          %0: f32[1,1,1,1] = to_tiles(%x, matrix=((-1, 1, 1),), step=3, low=(0,), count=(1,))
          return %0
        }"""
    )
    x = np.array([[[1e8, 1e8, 1]]], np.float32)
    assert compiled(graph, [x])[0][0].item() == eagerly(graph, [x])[0][0].item() == 0
    graph = graph_of(
        """
        graph f(%x: f32[1,1,2,2]) {
          %0: f32[1,1,1,1,1,1] = to_tiles(%x, matrix=((1, 1),), step=2, low=(0, 0), count=(1, 1))
          return %0
        }"""
    )
    x = np.array([[[[1e8, 1], [-1e8, 1]]]], np.float32)
    assert compiled(graph, [x])[0][0].item() == eagerly(graph, [x])[0][0].item() == 2


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1), (0, 3), (1, 2, 3), (2,), ()])
def test_exchanged_weights_may_be_flipped_along_any_axis(axes: tuple[int, ...]) -> None:
    """Of channels and features the flip is of what they are exchanged to."""
    graph = graph_of(
        f"""
        graph f(%x: f32[2,17,8,8], %w: f32[17,32,3,3]) {{
          %0: f32[32,17,3,3] = transpose(%w, perm=(1, 0, 2, 3))
          %1: f32[32,17,3,3] = flip(%0, axes={axes})
          %2: f32[2,32,8,8] = conv(%x, %1, stride=(1, 1), dilation=(1, 1), low=(1, 1), size=(8, 8), groups=1)
          return %2
        }}"""
    )
    inputs = arguments(graph)
    assert_same_run(eagerly(graph, inputs), compiled(graph, inputs))


def test_images_come_out_the_same_in_any_batch() -> None:
    graph = convolution(33, 16, 16, (12, 12))
    x, w = arguments(graph)
    whole = compiled(graph, [x, w])[0][0]
    for images in (1, 2, 7, 16):
        part = compiled(convolution(images, 16, 16, (12, 12)), [x[:images], w])[0][0]
        assert np.array_equal(part, whole[:images])


def test_integers_are_exact() -> None:
    graph, rng = convolution(2, 16, 16, (8, 8)), np.random.default_rng(1)
    inputs = [rng.integers(-9, 10, i.shape).astype(np.float32) for i in graph.inputs]
    found = compiled(graph, inputs)[0][0]
    assert np.array_equal(found, of_sums(graph, inputs))


def test_large_gradients_are_sums_over_images_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = gradient_of_weights(10, 32, 32, (8, 8))
    inputs = arguments(graph)
    whole = compiled(graph, inputs)[0][0]
    monkeypatch.setattr(pass_, "PART", 4 * 16 * 16 * 64 * 4)  # four images at most, but parts are alike
    for images, parts in ((9, [3, 3, 3]), (10, [4, 4, 2])):
        made = winograd(gradient_of_weights(images, 32, 32, (8, 8)))
        assert ops_of(made).count("conv_grad_weight") == 3
        assert [n.shape[0] for n in made.nodes if n.op == "slice"] == [count for count in parts for _ in range(2)]
    found, exact = compiled(graph, inputs)[0][0], of_sums(graph, inputs)
    assert np.abs(found - exact).max() < 1e-6 * np.abs(exact).max() and not np.array_equal(found, whole)


def test_a_derivative_makes_tiles_anew() -> None:
    """To keep them from the forward pass would take four times the memory of what they are made of."""

    def step(x: Tensor, w: Tensor) -> Tensor:
        return ms.grad(lambda x, w: ops.conv2d(x, w, pad_mode="pad", padding=1).sum(), (0, 1))(x, w)

    graph = trace(step, (ops.ones((2, 32, 8, 8)), ops.ones((32, 32, 3, 3))), {}, "step").graph
    made = prepared(graph)
    tiles = [n for n in made.nodes if n.op == "to_tiles" and n.operands[0] is made.inputs[0]]
    both = prepared(trace(lambda x, w: (ops.relu(ops.conv2d(x, w, pad_mode="pad", padding=1)), *step(x, w)),
                          (ops.ones((2, 32, 8, 8)), ops.ones((32, 32, 3, 3))), {}, "both").graph)
    twice = [n for n in both.nodes if n.op == "to_tiles" and n.operands[0] is both.inputs[0]]
    assert (len(tiles), len(twice)) == (1, 2)


@pytest.mark.parametrize("channels", [16, 32])
def test_batches_lie_in_rows_where_convolutions_are_made_of_tiles(channels: int) -> None:
    """As products of tiles run image by image; of which a batch that just fills vectors would lie in the lanes."""

    def loss(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return (ops.conv2d(ops.relu(ops.conv2d(x, first, pad_mode="same")), second, pad_mode="same") ** 2).mean()

    shapes = (16, channels, 16, 16), (channels, channels, 3, 3), (channels, channels, 3, 3)
    step = ms.value_and_grad(loss, (1, 2))
    _, layouts = layout(prepared(trace(step, tuple(map(ops.ones, shapes)), {}, "step").graph))
    assert not any(held.blocked for held in layouts.values())


@pytest.mark.parametrize(("images", "count"), list(product((1, 3, 16), (1, 2))))
def test_training_steps_are_the_same_bits_in_both_modes(images: int, count: int) -> None:
    rng = np.random.default_rng(images)
    x = Tensor(rng.standard_normal((images, 16, 16, 16)).astype(np.float32))
    weights = [Tensor(rng.standard_normal((32, n, 3, 3)).astype(np.float32) / 10) for n in (16, 32)]

    def loss(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        h = ops.relu(ops.conv2d(x, first, pad_mode="pad", padding=1))
        h = ops.max_pool2d(h, 2, 2)
        return (ops.conv2d(h, second, pad_mode="valid") ** 2).mean()

    step = ms.value_and_grad(loss, (0, 1, 2))
    found = []
    with threads(count):
        for function in (step, ms.jit(step)):
            value, grads = function(x, *weights)
            found.append([value.asnumpy(), *(g.asnumpy() for g in grads)])
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
