"""Images apart: gradients of weights of few images or of channels by themselves, as groups, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from modes import compiled, eagerly
from reference import assert_same_run
from stages import graph_of

from graphc.ir import Graph
from graphc.passes import layout as layout_pass
from graphc.passes.layout import layout


def gradient_of_weights(
    images: int, channels: int, features: int, size: tuple[int, int], taps: int, stride: int, groups: int
) -> Graph:
    low = taps // 2
    out = [(n + 2 * low - taps) // stride + 1 for n in size]
    return graph_of(
        f"""
        graph f(%x: f32[{images},{channels},{size[0]},{size[1]}], %ct: f32[{images},{features},{out[0]},{out[1]}]) {{
          %0: f32[{features},{channels // groups},{taps},{taps}] = conv_grad_weight(%x, %ct, kernel=({taps}, {taps}), stride=({stride}, {stride}), dilation=(1, 1), low=({low}, {low}), groups={groups})
          return %0
        }}"""  # noqa: E501
    )  # fmt: skip


CASES = [
    (8, 3, 40, (19, 23), 3, 2, 1),  # a stem
    (9, 3, 33, (13, 31), 7, 2, 1),
    (15, 27, 27, (11, 9), 3, 1, 27),  # each channel alone
    (13, 30, 30, (12, 17), 3, 2, 30),
    (8, 26, 78, (7, 9), 5, 1, 13),  # groups
    (10, 4, 49, (6, 5), 1, 1, 1),
    (12, 35, 5, (1, 1), 3, 2, 1),
    (16, 5, 5, (9, 12), 3, 1, 5),  # channels by themselves, of more images
    (32, 20, 20, (11, 8), 3, 2, 20),
    (112, 3, 3, (7, 7), 3, 1, 3),
    (20, 18, 18, (7, 11), 3, 1, 18),  # chains that are not all as long
    (47, 9, 9, (13, 10), 3, 2, 9),
]


def images_of_gradients(graph: Graph) -> list[int]:
    """Of those that the layout pass makes of it."""
    made, _ = layout(graph)
    return sorted(n.operands[0].shape[0] for n in made.nodes if n.op == "conv_grad_weight")


def chains(images: int) -> list[int]:
    """How many images the sixteen chains have, in as few gradients as can be."""
    each = sorted(len(range(n, images, 16)) for n in range(min(images, 16)))
    return each if images > 16 and images % 16 else each[:1]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_images_apart_change_no_bit(case: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    graph = gradient_of_weights(*case)
    assert images_of_gradients(graph) == chains(case[0])
    rng = np.random.default_rng(3)
    shapes = [node.shape for node in graph.inputs]
    usual = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    tiny = [np.float32(1e-30) * np.sign(array) for array in usual]  # whose products round to a zero with a sign
    results = [compiled(graph, arrays) for arrays in (usual, tiny)]
    assert_same_run(results[0], eagerly(graph, usual))
    monkeypatch.setattr(layout_pass, "images_apart", lambda node, access: node)
    assert images_of_gradients(graph) == [case[0]]
    for found, arrays in zip(results, (usual, tiny), strict=True):
        (wanted,), (got,) = compiled(graph, arrays)[0], found[0]
        assert np.array_equal(got.view(np.int32), wanted.view(np.int32))


OTHERS = [
    (7, 3, 40, 1), (16, 3, 40, 1), (8, 16, 30, 1),  # one chain over all images, as many images as lanes, wide ones
    (16, 16, 16, 8), (128, 5, 5, 5), (17, 3, 3, 3),  # not alone, chains of eight images, too few for the lanes
]  # fmt: skip


@pytest.mark.parametrize("case", OTHERS, ids=str)
def test_other_sums_stay_as_they_are(case: tuple[int, int, int, int]) -> None:
    images, channels, features, groups = case
    assert images_of_gradients(gradient_of_weights(images, channels, features, (9, 9), 3, 1, groups)) == [images]
