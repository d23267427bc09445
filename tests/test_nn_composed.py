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
