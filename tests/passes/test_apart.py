"""Images apart: gradients of weights with fewer images than lanes, as groups of images, to the last bit."""

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
]


def few_images(graph: Graph) -> bool:
    """Whether images are groups in what the layout pass makes of it."""
    made, _ = layout(graph)
    return next(n for n in made.nodes if n.op == "conv_grad_weight").operands[0].shape[0] == 1


@pytest.mark.parametrize("case", CASES, ids=str)
def test_images_apart_change_no_bit(case: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    graph = gradient_of_weights(*case)
    assert few_images(graph)
    rng = np.random.default_rng(3)
    shapes = [node.shape for node in graph.inputs]
    usual = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    tiny = [np.float32(1e-30) * np.sign(array) for array in usual]  # whose products round to a zero with a sign
    results = [compiled(graph, arrays) for arrays in (usual, tiny)]
    assert_same_run(results[0], eagerly(graph, usual))
    monkeypatch.setattr(layout_pass, "images_apart", lambda node, access: node)
    assert not few_images(graph)
    for found, arrays in zip(results, (usual, tiny), strict=True):
        (wanted,), (got,) = compiled(graph, arrays)[0], found[0]
        assert np.array_equal(got.view(np.int32), wanted.view(np.int32))


@pytest.mark.parametrize("case", [(7, 3, 40), (16, 3, 40), (8, 16, 30)], ids=str)
def test_other_sums_stay_as_they_are(case: tuple[int, int, int]) -> None:
    """One chain over all images, or as many images as lanes."""
    assert not few_images(gradient_of_weights(*case, (9, 9), 3, 1, 1))
