"""The loss of connectionist temporal classification against the sum over all alignments."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest

import graphc
from graphc import Tensor, nn, ops

F = np.float32


def by_enumeration(scores: np.ndarray, labels: list[int], blank: int = 0) -> float:
    """The loss of one sequence `[T, C]`: each string of classes that collapses to the labels is an alignment."""
    total = 0.0
    for path in product(range(scores.shape[1]), repeat=scores.shape[0]):
        if [c for c, _ in groupby(path) if c != blank] == labels:
            total += float(np.exp(scores[range(len(path)), path].sum()))
    return -np.log(total) if total else np.inf


def log_probs(*shape: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal(shape)
    return (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype(F)


SCORES = log_probs(6, 5, 4)
LABELS = np.array([[1, 2, 3], [2, 2, 9], [3, -7, 1], [0, 0, 0], [1, 1, 1]])
STEPS, COUNTS = np.array([6, 4, 3, 2, 3]), np.array([3, 2, 1, 0, 3])


@pytest.mark.parametrize("mode", [graphc.GRAPH_MODE, graphc.PYNATIVE_MODE])
def test_every_sequence_has_its_sum(mode: int) -> None:
    graphc.set_context(mode=mode)
    operands = map(Tensor, (SCORES, LABELS, STEPS, COUNTS))
    loss, alphas = ops.ctc_loss(*operands, reduction="none")
    wanted = [by_enumeration(SCORES[: STEPS[i], i].astype(np.float64), list(LABELS[i, : COUNTS[i]])) for i in range(5)]
    assert np.isinf(wanted[4])  # three equal labels need two blanks between them
    np.testing.assert_allclose(loss.asnumpy(), wanted, rtol=1e-5)
    assert alphas.shape == (5, 6, 7)
    np.testing.assert_allclose(alphas.asnumpy()[0, 0, :2], SCORES[0, 0, [0, 1]], rtol=1e-6)


def test_one_sequence_needs_no_batch() -> None:
    scores = np.arange(10, dtype=np.float32).reshape(5, 2)
    wanted = by_enumeration(scores.astype(np.float64), [1, 1])
    operands = [Tensor(a) for a in (scores, np.array([1, 1]), np.array([5], np.int32), np.array([2], np.int32))]
    loss, alphas = ops.ctc_loss(*operands, reduction="none")
    assert loss.shape == () and alphas.shape == (5, 5)
    np.testing.assert_allclose(loss.asnumpy(), wanted, rtol=1e-6)
    np.testing.assert_allclose(loss.asnumpy(), -25.794968, rtol=1e-6)  # as MindSpore's page says
    np.testing.assert_allclose(nn.CTCLoss()(*operands).asnumpy(), wanted / 2, rtol=1e-6)


@pytest.mark.parametrize("blank", [0, 3])
def test_reductions_and_blanks(blank: int) -> None:
    labels = np.array([[1, 2], [2, 1]])
    scores, steps, counts = SCORES[:, :2], np.array([6, 5]), np.array([2, 1])
    each = [by_enumeration(scores[: steps[i], i], list(labels[i, : counts[i]]), blank) for i in range(2)]
    operands = [Tensor(a) for a in (scores, labels, steps, counts)]
    mean = nn.CTCLoss(blank)(*operands)
    total = nn.CTCLoss(blank, reduction="sum")(*operands)
    np.testing.assert_allclose(mean.asnumpy(), (each[0] / 2 + each[1]) / 2, rtol=1e-5)
    np.testing.assert_allclose(total.asnumpy(), sum(each), rtol=1e-5)


def test_gradient_by_differences_and_none_where_nothing_fits() -> None:
    others = [Tensor(a) for a in (LABELS, STEPS, COUNTS)]
    loss_fn = nn.CTCLoss(reduction="sum", zero_infinity=True)
    x = SCORES.astype(np.float64)
    value, gradient = graphc.value_and_grad(lambda scores: loss_fn(scores, *others))(Tensor(x))
    assert np.isfinite(value.asnumpy())
    found = gradient.asnumpy()
    assert not found[:, 4].any() and not found[4:, 1].any()
    for place in [(0, 0, 1), (2, 0, 0), (3, 1, 2), (1, 2, 3), (0, 3, 0)]:
        high, low = x.copy(), x.copy()
        high[place] += 1e-6
        low[place] -= 1e-6
        slope = (loss_fn(Tensor(high), *others).asnumpy() - loss_fn(Tensor(low), *others).asnumpy()) / 2e-6
        np.testing.assert_allclose(found[place], slope, rtol=1e-5, atol=1e-8)


def test_a_network_learns_to_spell() -> None:
    graphc.set_seed(1)
    net = nn.SequentialCell(nn.Dense(6, 16), nn.Tanh(), nn.Dense(16, 4), nn.LogSoftmax(-1))
    loss_fn, optimizer = nn.CTCLoss(), nn.Adam(net.trainable_params(), 0.02)
    x = Tensor(np.random.default_rng(1).standard_normal((8, 3, 6)).astype(F))
    target, steps, counts = Tensor([[1, 2], [3, 1], [2, 3]]), Tensor([8, 8, 8]), Tensor([2, 2, 2])
    step = nn.TrainOneStepCell(nn.WithLossCell(net, lambda y, t: loss_fn(y, t, steps, counts)), optimizer)
    losses = [float(step(x, target)) for _ in range(60)]
    assert losses[-1] < 0.1 * losses[0]


def test_what_does_not_fit_is_said() -> None:
    x, y = Tensor(SCORES), Tensor(LABELS % 4)
    steps, counts = Tensor(STEPS), Tensor(COUNTS)
    with pytest.raises(ValueError, match=r"ctc_loss: expected \[T, N, C\].*f32\[6,5,4\], i64\[4,3\]"):
        ops.ctc_loss(x, y[:4], steps, counts)
    with pytest.raises(TypeError, match="ctc_loss: expected floats, then integers"):
        ops.ctc_loss(x, y.astype(graphc.float32), steps, counts)
    with pytest.raises(ValueError, match=r"blank must be in \[0, 4\), got 4"):
        ops.ctc_loss(x, y, steps, counts, blank=4)
    with pytest.raises(ValueError, match="reduction"):
        ops.ctc_loss(x, y, steps, counts, reduction="average")
    with pytest.raises(IndexError, match="out of range"):
        ops.ctc_loss(x, Tensor(np.full((5, 3), 7)), steps, counts)
