"""Layers with random weights: what they draw from, how far that is from the prior, and that both modes do it alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Tensor, nn, ops
from graphc.nn.probability import bnn_layers, distribution

X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


class Certain(bnn_layers.NormalPosterior):
    """A distribution of weights 0, 1, 2, ... that do not deviate."""

    def __init__(self, name: str, shape: Any) -> None:
        super().__init__(name, shape)
        self.mean.set_data(Tensor(np.arange(np.prod(shape), dtype=np.float32).reshape(shape)))

    def construct(self, *inputs: Any) -> Any:
        return self.normal(*inputs, mean=self.mean, sd=ops.zeros_like(self.mean))


@pytest.mark.parametrize("kind", [bnn_layers.DenseReparam, bnn_layers.DenseLocalReparam])
def test_dense_layers_of_certain_weights(kind: Any) -> None:
    layer = kind(3, 4, "relu", weight_posterior_fn=Certain, bias_posterior_fn=Certain)
    weight, bias = (Tensor(np.arange(n, dtype=np.float32)) for n in (12, 4))
    wanted = ops.relu(ops.dense(Tensor(X), weight.reshape(4, 3)) + bias)
    np.testing.assert_array_equal(layer(Tensor(X)).asnumpy(), wanted.asnumpy())
    assert [p.name for p in layer.get_parameters()] == [
        f"{part}_posterior.{name}" for part in ("weight", "bias") for name in ("mean", "untransformed_std")
    ]
    assert "in_channels=3, out_channels=4, has_bias=True" in repr(layer)


def test_convolution_of_a_certain_weight() -> None:
    layer = bnn_layers.ConvReparam(2, 4, 3, 2, "pad", 1, has_bias=True, weight_posterior_fn=Certain,
                                   bias_posterior_fn=Certain)  # fmt: skip
    x = Tensor(np.random.default_rng(1).normal(size=(2, 2, 7, 6)).astype(np.float32))
    weight = Tensor(np.arange(72, dtype=np.float32).reshape(4, 2, 3, 3))
    wanted = ops.conv2d(x, weight, Tensor(np.arange(4, dtype=np.float32)), 2, "pad", 1)
    np.testing.assert_array_equal(layer(x).asnumpy(), wanted.asnumpy())
    assert layer(x).shape == (2, 4, 4, 3) and len(layer.trainable_params()) == 4
    assert "kernel_size=(3, 3)" in repr(layer)


def test_draws_have_the_mean_and_deviation_that_are_learned() -> None:
    ms.set_seed(3)
    rows = Tensor(np.tile(X[:1], (4000, 1)))
    layer = bnn_layers.DenseLocalReparam(3, 1, has_bias=False)
    layer.weight_posterior.untransformed_std.set_data(Tensor(np.full((1, 3), 0.5, np.float32)))
    mean, sd = layer.weight_posterior.mean.asnumpy()[0], np.log1p(np.exp(0.5)) + 1e-6
    drawn = layer(rows).asnumpy()
    np.testing.assert_allclose(drawn.mean(), X[0] @ mean, atol=0.05 * np.linalg.norm(X[0]))
    np.testing.assert_allclose(drawn.std(), sd * np.linalg.norm(X[0]), rtol=0.05)
    whole = bnn_layers.DenseReparam(3, 1)
    assert len(set(whole(rows).asnumpy().ravel().tolist())) == 1  # one weight for the whole batch
    assert float(whole(rows)[0]) != float(whole(rows)[0])


def test_divergences() -> None:
    layer = bnn_layers.DenseReparam(3, 4, weight_prior_fn=bnn_layers.NormalPrior(mean=0.5, std=2.0))
    parts = []
    for learned, mean, std in ((layer.weight_posterior, 0.5, 2.0), (layer.bias_posterior, 0.0, 0.1)):
        m, s = learned.mean.asnumpy(), np.log1p(np.exp(learned.untransformed_std.asnumpy())) + 1e-6
        parts.append((np.log(s / std) + (std**2 + (m - mean) ** 2) / (2 * s**2) - 0.5).sum())
    np.testing.assert_allclose(layer.compute_kl_loss().asnumpy(), sum(parts), rtol=1e-5)


@pytest.mark.parametrize("make", [bnn_layers.DenseReparam, bnn_layers.DenseLocalReparam])
def test_training_in_both_modes(make: Any) -> None:
    y = Tensor((X @ np.array([[1.0], [-2.0], [0.5]], np.float32)).astype(np.float32))

    def train(mode: int) -> list[np.ndarray]:
        ms.set_context(mode=mode)
        ms.set_seed(5)
        net = nn.SequentialCell(make(3, 8, "tanh"), make(8, 1))
        cell = bnn_layers.WithBNNLossCell(net, nn.MSELoss(), bnn_factor=1e-4)
        assert cell.backbone_network is net
        step = nn.TrainOneStepCell(cell, nn.Adam(net.trainable_params(), 0.02))
        losses = [step(Tensor(X), y).asnumpy() for _ in range(30)]
        return [*losses, *(p.asnumpy() for p in net.get_parameters())]

    eager, graph = train(ms.PYNATIVE_MODE), train(ms.GRAPH_MODE)
    assert all(map(np.array_equal, eager, graph)) and len(eager) == 38
    assert eager[29] < 0.5 * eager[0]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: bnn_layers.DenseReparam(3, 4, weight_prior_fn=3), TypeError, "'weight_prior_fn' must be a Cell"),
        (lambda: bnn_layers.DenseReparam(3, 4, bias_posterior_fn=3), TypeError, "'bias_posterior_fn' must make"),
        (lambda: bnn_layers.DenseReparam(0, 4), ValueError, "in_channels"),
        (lambda: bnn_layers.DenseReparam(3, 4, activation=3), TypeError, "activation"),
        (lambda: bnn_layers.ConvReparam(2, 4, 3, padding=1), ValueError, "padding"),
        (lambda: bnn_layers.NormalPosterior(3, (2,)), TypeError, "'name' must be str"),
        (lambda: bnn_layers.NormalPosterior("w", 2), TypeError, "'shape' must be tuple"),
        (lambda: bnn_layers.NormalPosterior("w", (2,), loc_std=-1), ValueError, "std"),
        (lambda: bnn_layers.WithBNNLossCell(nn.ReLU(), nn.MSELoss(), -1), ValueError, "dnn_factor"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_parameters_of_distributions_by_name() -> None:
    normal = distribution.Normal()
    mean, sd = Tensor([1.0, 2.0]), Tensor([0.5, 1.5])
    np.testing.assert_array_equal(
        normal.prob(0.5, mean=mean, sd=sd).asnumpy(), normal("prob", 0.5, mean, sd).asnumpy()
    )
    np.testing.assert_array_equal(
        normal.kl_loss("Normal", mean_b=0.0, sd_b=1.0, mean=mean, sd=sd).asnumpy(),
        normal.kl_loss("Normal", 0.0, 1.0, mean, sd).asnumpy(),
    )
    assert normal.get_dist_type() == "Normal" and normal("sample", (3,), sd=sd, mean=mean).shape == (3, 2)
    assert [p.asnumpy().tolist() for p in normal.get_dist_args(mean, sd=sd)] == [[1.0, 2.0], [0.5, 1.5]]
    flips = distribution.Bernoulli()
    assert float(flips.mean(probs1=0.25)) == float(flips.mean(probs=0.25)) == 0.25
    for options in ({"scale": 1.0}, {"mean": 1.0, "sd": 1.0, "loc": 0.0}):
        with pytest.raises(TypeError, match="expected at most mean, sd"):
            normal.mean(**options)
    with pytest.raises(TypeError, match="expected at most mean, sd"):
        normal.mean(0.0, mean=1.0)
