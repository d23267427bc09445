"""Classes drawn at random, the counts expected of them, and the loss that is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Tensor, nn, ops
from graphc.ops import operations as P

LABELS = Tensor(np.array([[1, 7], [0, 4], [3, 3]]))


def frequencies(draw: Any, count: int, times: int = 400) -> np.ndarray:
    ms.set_seed(1)
    return np.bincount(np.concatenate([draw().asnumpy() for _ in range(times)]), minlength=count) / times


def test_classes_are_drawn_as_often_as_is_said() -> None:
    count = 9
    p = np.log1p(1 / np.arange(1.0, 10)) / np.log(10)
    every = Tensor(np.arange(count)[:, None])
    for unique in (True, False):
        found = frequencies(lambda u=unique: ops.uniform_candidate_sampler(LABELS, 2, 4, u, count)[0], count)
        np.testing.assert_allclose(found, 4 / 9, atol=0.1)
        for counts in ops.uniform_candidate_sampler(LABELS, 2, 4, unique, count)[1:]:
            np.testing.assert_allclose(counts.asnumpy(), 4 / 9, rtol=1e-6)
        found = frequencies(lambda u=unique: ops.log_uniform_candidate_sampler(LABELS, 2, 4, u, count)[0], count)
        expected = ops.log_uniform_candidate_sampler(every, 1, 4, unique, count)[1].asnumpy()[:, 0]
        np.testing.assert_allclose(found, expected, atol=0.12)
        assert expected.sum() == pytest.approx(4, 1e-5)
        if not unique:
            np.testing.assert_allclose(expected, 4 * p, rtol=1e-6)
    whole = ops.log_uniform_candidate_sampler(LABELS, 2, count, True, count)
    assert sorted(whole[0].tolist()) == list(range(count)) and (whole[2].asnumpy() == 1).all()


def test_drawn_classes_are_the_same_in_both_modes_and_may_leave_out_labels() -> None:
    def draw(labels: Tensor) -> Any:
        return ops.uniform_candidate_sampler(labels, 2, 3, True, 9, remove_accidental_hits=True)

    ms.set_seed(4)
    eager = [[t.asnumpy() for t in draw(LABELS)] for _ in range(9)]
    ms.set_seed(4)
    compiled = ms.jit(draw)
    for arrays in eager:
        for one, other in zip(arrays, compiled(LABELS), strict=True):
            np.testing.assert_array_equal(one, other.asnumpy())
        assert set(arrays[0]) <= {2, 5, 6, 8} and len(set(arrays[0])) == 3
    more = ops.uniform_candidate_sampler(LABELS, 2, 6, True, 9, remove_accidental_hits=True)[0]
    assert {2, 5, 6, 8} < set(more.tolist()) and len(set(more.tolist())) == 6  # there are no others
    assert draw(LABELS.astype(ms.int32))[0].dtype == ms.int32
    sampled, of_labels, of_sampled = P.LogUniformCandidateSampler(2, 5, True, 8)(LABELS)
    assert sampled.shape == of_sampled.shape == (5,) and of_labels.shape == (3, 2)
    assert P.UniformCandidateSampler(2, 3, False, 8, seed=3)(LABELS)[0].shape == (3,)
    with pytest.raises(ValueError, match="there are no 10 different classes among 9"):
        ops.uniform_candidate_sampler(LABELS, 2, 10, True, 9)
    with pytest.raises(TypeError, match=r"expected integer true_classes \[N, 3\], got i64\[3,2\]"):
        ops.log_uniform_candidate_sampler(LABELS, 3)


def test_sampled_softmax_loss() -> None:
    np.random.seed(1)
    w, b, x = (np.random.randn(*shape).astype("f") for shape in ((7, 4), (7,), (3, 4)))
    counts = (Tensor([5, 3]), Tensor([[0.5], [0.5], [0.5]]), Tensor([0.5, 0.25]))
    wanted = np.array([1.5113561, 0.42371392, 0.9274194])  # by MindSpore 2.10
    for reduction, value in (("none", wanted), ("mean", wanted.mean()), ("sum", wanted.sum())):
        loss = nn.SampledSoftmaxLoss(2, 7, sampled_values=counts, reduction=reduction)
        found = loss(Tensor(w), Tensor(b), Tensor([0, 1, 2]), Tensor(x)).asnumpy()
        np.testing.assert_allclose(found, value, rtol=1e-6)


def test_sampled_softmax_loss_draws_and_learns() -> None:
    rng = np.random.default_rng(0)
    labels = Tensor(rng.integers(0, 50, (16, 2)))
    x = Tensor(rng.normal(size=(16, 8)).astype("f"))
    losses = []
    for mode in (ms.GRAPH_MODE, ms.PYNATIVE_MODE):
        ms.set_context(mode=mode)
        ms.set_seed(2)
        w, b = ms.Parameter(np.zeros((50, 8), "f"), "w"), ms.Parameter(np.zeros(50, "f"), "b")
        loss = nn.SampledSoftmaxLoss(10, 50, 2, reduction="mean")
        optimizer = nn.Adam([w, b], 0.05)
        step = ms.value_and_grad(lambda x, y, loss=loss, w=w, b=b: loss(w, b, y, x), None, [w, b])
        own = []
        for _ in range(40):
            value, slopes = step(x, labels)
            optimizer(slopes)
            own.append(float(value))
        assert own[-1] < own[0] / 2
        losses.append(own)
    ms.set_context(mode=ms.PYNATIVE_MODE)
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_sampled": 8}, ValueError, "the 'num_sampled' must be smaller than or equal to 'num_classes', but got 8"),
        ({"num_true": 9}, ValueError, "the 'num_true' must be smaller"),
        ({"seed": -1}, ValueError, "the 'seed' must be an int >= 0, but got -1"),
        ({"sampled_values": 3}, TypeError, "'sampled_values' must be a list or tuple, but got int"),
        ({"sampled_values": (1, 2)}, ValueError, "'sampled_values' must be 3, but got 2"),
        ({"reduction": "all"}, ValueError, "'reduction' must be in"),
    ],
)
def test_sampled_softmax_loss_says_what_it_does_not_take(options: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        nn.SampledSoftmaxLoss(**{"num_sampled": 3, "num_classes": 7, **options})
