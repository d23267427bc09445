"""Layers and losses of few ops: what the functions give, in both modes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from modes import mode

import graphc as ms
from graphc import Tensor, nn, ops

_rng = np.random.default_rng(8)
A, B, C = (Tensor(_rng.normal(size=(4, 5)).astype("f")) for _ in range(3))
IMAGES = Tensor(_rng.normal(size=(2, 3, 6, 4)).astype("f"))
SETS = Tensor([[1, 0, -1, 2, 3], [4, -1, -1, 0, 0], [-1, 1, 1, 1, 1], [0, 1, 2, 3, 4]])
WHOLE, PLACES = ops.max_pool2d(IMAGES, 2, 2, return_indices=True)
LINE, AT = ops.max_pool1d(IMAGES[0], 2, 2, return_indices=True)
DENSE = nn.Dense(4, 2)


def dice(x: Tensor, y: Tensor) -> Tensor:
    return 1 - 2 * (x * y).sum() / ((x * x).sum() + (y * y).sum() + 1e-5)


CASES: list[tuple[str, Any, tuple[Tensor, ...], Any]] = [
    ("LPPool1d", nn.LPPool1d(2, 3), (abs(IMAGES[0]),), lambda: ops.lp_pool1d(abs(IMAGES[0]), 2, 3)),
    ("LPPool2d", nn.LPPool2d(2, 2, 1), (IMAGES,), lambda: ops.lp_pool2d(IMAGES, 2, 2, 1)),
    ("MaxUnpool1d", nn.MaxUnpool1d(2), (LINE, AT), lambda: ops.max_unpool1d(LINE, AT, 2)),
    ("MaxUnpool2d", nn.MaxUnpool2d(2), (WHOLE, PLACES), lambda: ops.max_unpool2d(WHOLE, PLACES, 2)),
    ("MaxUnpool3d", nn.MaxUnpool3d(1), (IMAGES[None], ops.arange(24).reshape(6, 4).expand(1, 2, 3, 6, 4) * 1),
     lambda: ops.max_unpool3d(IMAGES[None], ops.arange(24).reshape(6, 4).expand(1, 2, 3, 6, 4) * 1, 1)),
    ("MatrixDiag", nn.MatrixDiag(), (A,), lambda: ops.diag_embed(A)),
    ("MatrixDiagPart", nn.MatrixDiagPart(), (A,), lambda: ops.diagonal(A)),
    ("MatrixSetDiag", nn.MatrixSetDiag(), (A, B[0, :4]), lambda: ops.diagonal_scatter(A, B[0, :4])),
    ("ImageGradients", lambda x: nn.ImageGradients()(x)[1], (IMAGES,),
     lambda: ops.concat([IMAGES[..., 1:] - IMAGES[..., :-1], IMAGES[..., :1] * 0], -1)),
    ("CentralCrop", nn.CentralCrop(0.5), (IMAGES,), lambda: IMAGES[..., 1:5, 1:3]),
    ("CentralCrop of one image", nn.CentralCrop(0.3), (IMAGES[0],), lambda: IMAGES[0, :, 2:4, 1:3]),
    ("CentralCrop of all", nn.CentralCrop(1.0), (IMAGES,), lambda: IMAGES),
    ("TimeDistributed", nn.TimeDistributed(DENSE, 1), (IMAGES,), lambda: DENSE(IMAGES)),
    ("TimeDistributed at once", nn.TimeDistributed(DENSE, 1, 0), (IMAGES,), lambda: DENSE(IMAGES)),
    ("TimeDistributed before", nn.TimeDistributed(DENSE, 0, 2), (IMAGES,), lambda: DENSE(IMAGES)),
    ("MultilabelMarginLoss", nn.MultilabelMarginLoss(), (A, SETS), lambda: ops.multilabel_margin_loss(A, SETS)),
    ("TripletMarginWithDistanceLoss", nn.TripletMarginWithDistanceLoss(swap=True), (A, B, C),
     lambda: ops.relu(ops.norm(A - B, 2, 1) - ops.minimum(ops.norm(A - C, 2, 1), ops.norm(B - C, 2, 1)) + 1).mean()),
    ("TripletMarginWithDistanceLoss of a function",
     nn.TripletMarginWithDistanceLoss(lambda x, y: abs(x - y).sum(1), reduction="sum"), (A, B, C),
     lambda: ops.relu(abs(A - B).sum(1) - abs(A - C).sum(1) + 1).sum()),
    ("MultiClassDiceLoss", nn.MultiClassDiceLoss(ignore_indiex=0, activation=None), (A, B),
     lambda: sum(dice(A[:, c], B[:, c]) for c in range(1, 5)) / 5),
]  # fmt: skip


@pytest.mark.parametrize("name, cell, inputs, wanted", CASES, ids=[case[0] for case in CASES])
def test_both_modes(name: str, cell: Any, inputs: Any, wanted: Any) -> None:
    with mode(ms.PYNATIVE_MODE):
        eager = cell(*inputs).asnumpy()
    with mode(ms.GRAPH_MODE):
        compiled = cell(*inputs).asnumpy()
    np.testing.assert_array_equal(eager, compiled)
    np.testing.assert_allclose(eager, wanted().asnumpy(), rtol=1e-5, atol=1e-6)


def test_gradients_of_a_network() -> None:
    net, loss_fn = nn.Dense(5, 2), nn.MSELoss()
    label = ops.ones((4, 2))
    wanted = ms.grad(lambda: loss_fn(net(A), label), None, net.trainable_params())()
    for found in (
        nn.WithGradCell(net, loss_fn)(A, label),
        nn.WithGradCell(nn.WithLossCell(net, loss_fn), None, Tensor(1.0))(A, label),
    ):
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a.asnumpy(), b.asnumpy())


def test_errors() -> None:
    with pytest.raises(ValueError, match="ImageGradients"):
        nn.ImageGradients()(A)
    with pytest.raises(ValueError, match="MultiClassDiceLoss"):
        nn.MultiClassDiceLoss()(A, B[0])
    with pytest.raises(TypeError, match="TimeDistributed"):
        nn.TimeDistributed(3, 1)


def similarity(x: np.ndarray, y: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each channel: the mean similarity, and that of contrast and structure; window by window."""
    line = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    found = []
    for i in range(x.shape[2] - size + 1):
        for j in range(x.shape[3] - size + 1):
            a, b = (image[:, :, i : i + size, j : j + size] for image in (x, y))
            mean_a, mean_b = ((window * part).sum((2, 3)) for part in (a, b))
            moments = [(window * p * q).sum((2, 3)) for p, q in ((a, a), (b, b), (a, b))]
            var_a, var_b, cov = moments[0] - mean_a**2, moments[1] - mean_b**2, moments[2] - mean_a * mean_b
            structure = (2 * cov + 0.03**2) / (var_a + var_b + 0.03**2)
            found.append((structure * (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2), structure))
    return np.mean([whole for whole, _ in found], 0), np.mean([structure for _, structure in found], 0)


@pytest.mark.parametrize("mode", [ms.PYNATIVE_MODE, ms.GRAPH_MODE])
def test_similarity_at_several_scales(mode: int) -> None:
    ms.set_context(mode=mode)
    rng = np.random.default_rng(1)
    x = rng.random((2, 3, 20, 16))
    y = np.clip(x + rng.normal(size=x.shape) * 0.1, 0, 1)
    given = Tensor(x.astype(np.float32)), Tensor(y.astype(np.float32))
    whole, structure = similarity(x, y, 5)
    np.testing.assert_allclose(nn.SSIM(filter_size=5)(*given).asnumpy(), whole.mean(1), rtol=2e-6)
    half = [image.reshape(2, 3, 10, 2, 8, 2).mean((3, 5)) for image in (x, y)]
    wanted = (structure**0.25 * similarity(*half, 5)[0] ** 0.75).mean(1)
    net = nn.MSSSIM(power_factors=(0.25, 0.75), filter_size=5)
    np.testing.assert_allclose(net(*given).asnumpy(), wanted, rtol=2e-6)
    slope = ms.grad(lambda a: net(a, given[1]).sum())(given[0])
    assert slope.shape == x.shape and np.isfinite(slope.asnumpy()).all()


def test_errors_of_similarities_and_crops() -> None:
    for call, error in (
        (lambda: nn.CentralCrop(0.0), "central_fraction"), (lambda: nn.CentralCrop(0.5)(A), "CentralCrop"),
        (lambda: nn.MSSSIM(power_factors=()), "power_factors"), (lambda: nn.MSSSIM()(A, A), "MSSSIM"),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=error):
            call()  # type: ignore[no-untyped-call]
