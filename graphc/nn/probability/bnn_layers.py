"""Layers whose weights are random: each call draws them from a distribution that is learned.

    net = nn.SequentialCell(bnn_layers.DenseReparam(784, 64, "relu"), bnn_layers.DenseReparam(64, 10))
    loss = bnn_layers.WithBNNLossCell(net, nn.CrossEntropyLoss(), bnn_factor=1 / 60_000)

D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2013; C. Blundell and others, "Weight Uncertainty in Neural
Networks", 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.initializer import Normal as NormalInitializer
from graphc.initializer import initializer
from graphc.nn import check
from graphc.nn.activation import get_activation
from graphc.nn.cell import Cell
from graphc.nn.check import float_dtype
from graphc.nn.conv import Conv2d
from graphc.nn.probability.distribution import Normal
from graphc.parameter import Parameter
from graphc.tensor import Tensor

__all__ = ["ConvReparam", "DenseLocalReparam", "DenseReparam", "NormalPosterior", "NormalPrior", "WithBNNLossCell"]

MakePosterior = Callable[..., Cell]


class NormalPrior(Cell):
    """A normal distribution that is not learned: `prior("kl_loss", "Normal", mean, sd)`, as `Normal` is called.

    Args:
        dtype: of its numbers.
        mean, std: numbers.
    """

    def __init__(self, dtype: Any = float32, mean: float = 0, std: float = 0.1) -> None:
        super().__init__()
        self.normal = Normal(mean, std, dtype=dtype)

    def construct(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.normal(*inputs, **kwargs)


class NormalPosterior(Cell):
    """A normal distribution that is learned; its standard deviation is `log(1 + exp(untransformed_std)) + 1e-6`.

    Args:
        name: how its Parameters' names begin.
        shape: of `mean` and `untransformed_std`.
        dtype: of the Parameters.
        loc_mean, loc_std: of the normal distribution from which `mean` is drawn at first.
        untransformed_scale_mean, untransformed_scale_std: of that from which `untransformed_std` is drawn.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """

    def __init__(
        self, name: str, shape: Any, dtype: Any = float32, loc_mean: float = 0, loc_std: float = 0.1,
        untransformed_scale_mean: float = -5, untransformed_scale_std: float = 0.1,
    ) -> None:
        super().__init__()
        where = "NormalPosterior"
        if not isinstance(name, str):
            raise TypeError(f"For '{where}', the 'name' must be str, but got {type(name).__name__}.")
        if not isinstance(shape, (tuple, list)):
            raise TypeError(f"For '{where}', the 'shape' must be tuple or list, but got {type(shape).__name__}.")
        dtype = float_dtype(where, dtype)

        def drawn(suffix: str, mean: float, std: float) -> Parameter:
            start = NormalInitializer(check.non_negative_float(where, "std", float(std)), float(mean))
            return Parameter(initializer(start, tuple(shape), dtype), name + suffix)

        self.mean = drawn("_mean", loc_mean, loc_std)
        self.untransformed_std = drawn("_untransformed_std", untransformed_scale_mean, untransformed_scale_std)
        self.normal = Normal(dtype=dtype)

    def construct(self, *inputs: Any) -> Any:
        return self.normal(*inputs, mean=self.mean, sd=ops.softplus(self.untransformed_std) + 1e-6)


def normal_post_fn(name: str, shape: Any) -> NormalPosterior:
    """A `NormalPosterior` of that name and shape."""
    return NormalPosterior(name=name, shape=shape)


def _prior(where: str, name: str, given: Any) -> Cell:
    """A prior, or what makes one, as a Cell."""
    made = given if isinstance(given, Cell) else given() if callable(given) else None
    if not isinstance(made, Cell):
        raise TypeError(f"For '{where}', the '{name}' must be a Cell or make one, but got {given!r}.")
    return made


def _posterior(where: str, name: str, make: Any, parameter: str, shape: tuple[int, ...]) -> Cell:
    made = make(name=parameter, shape=shape) if callable(make) else None
    if not isinstance(made, Cell):
        raise TypeError(f"For '{where}', the '{name}' must make a Cell of a name and a shape, but got {make!r}.")
    return made


class _Variational(Cell):
    """What these layers share: distributions of weight and bias, and how far they are from what was assumed."""

    bias_prior: Cell
    bias_posterior: Cell

    def _distributions(
        self, weight: tuple[int, ...], bias: int | None, weight_prior_fn: Any, weight_posterior_fn: MakePosterior,
        bias_prior_fn: Any, bias_posterior_fn: MakePosterior,
    ) -> None:
        """Makes the distributions of a weight in that shape, and of so many biases if there are any."""
        where = type(self).__name__
        self.weight_prior = _prior(where, "weight_prior_fn", weight_prior_fn)
        self.weight_posterior = _posterior(where, "weight_posterior_fn", weight_posterior_fn, "bnn_weight", weight)
        self.has_bias = bias is not None
        if bias is not None:
            self.bias_prior = _prior(where, "bias_prior_fn", bias_prior_fn)
            self.bias_posterior = _posterior(where, "bias_posterior_fn", bias_posterior_fn, "bnn_bias", (bias,))

    def compute_kl_loss(self) -> Tensor:
        """The divergence of what is assumed from what was learned, summed over weight and bias: a scalar.

        That is MindSpore's; the papers have the divergence of what was learned from what is assumed.
        """
        pairs = [(self.weight_prior, self.weight_posterior)]
        if self.has_bias:
            pairs.append((self.bias_prior, self.bias_posterior))
        parts = [
            ops.sum(prior("kl_loss", learned("get_dist_type"), *learned("get_dist_args"))) for prior, learned in pairs
        ]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]


class _DenseVariational(_Variational):
    """Common to both dense layers: see `DenseReparam`."""

    def __init__(
        self, in_channels: int, out_channels: int, activation: Any = None, has_bias: bool = True,
        weight_prior_fn: Any = NormalPrior, weight_posterior_fn: MakePosterior = normal_post_fn,
        bias_prior_fn: Any = NormalPrior, bias_posterior_fn: MakePosterior = normal_post_fn,
    ) -> None:
        super().__init__()
        where = type(self).__name__
        self.in_channels = check.positive_int(where, "in_channels", in_channels)
        self.out_channels = check.positive_int(where, "out_channels", out_channels)
        bias = out_channels if check.boolean(where, "has_bias", has_bias) else None
        self._distributions(
            (out_channels, in_channels), bias, weight_prior_fn, weight_posterior_fn, bias_prior_fn, bias_posterior_fn
        )
        self.activation = get_activation(activation, where) if isinstance(activation, str) else activation
        if activation is not None and not callable(self.activation):
            raise TypeError(f"For '{where}', the 'activation' must be str or Cell, but got {activation!r}.")

    def construct(self, x: Tensor) -> Tensor:
        y = self._weighted(x)
        if self.has_bias:
            y = y + self.bias_posterior("sample")
        return y if self.activation is None else self.activation(y)

    def _weighted(self, x: Tensor) -> Tensor:
        """x @ weight.T, for a weight that is drawn."""
        raise NotImplementedError

    def extend_repr(self) -> str:
        return f"in_channels={self.in_channels}, out_channels={self.out_channels}, has_bias={self.has_bias}"


class DenseReparam(_DenseVariational):
    """x @ weight.T + bias, of a weight and a bias that are drawn in each call, one of each for the whole batch.

    Args:
        in_channels, out_channels: features of the input `[..., in_channels]` and the result `[..., out_channels]`.
        activation: the name of an activation, or a Cell, applied to the result.
        has_bias: whether there is a bias.
        weight_prior_fn, bias_prior_fn: the distribution that is assumed: a Cell, or a class of one.
        weight_posterior_fn, bias_posterior_fn: makes the distribution that is learned, a Cell, of a name and a shape.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """

    def _weighted(self, x: Tensor) -> Tensor:
        return ops.dense(x, self.weight_posterior("sample"))


class DenseLocalReparam(_DenseVariational):
    """As `DenseReparam`, but products are drawn instead of a weight, which is as if each row had a weight of its own.

    D. Kingma, T. Salimans and M. Welling, "Variational Dropout and the Local Reparameterization Trick", 2015.
    """

    def _weighted(self, x: Tensor) -> Tensor:
        mean = ops.dense(x, self.weight_posterior("mean"))
        variance = ops.dense(ops.square(x), ops.square(self.weight_posterior("sd")))
        return mean + ops.sqrt(variance) * ops.standard_normal(mean.shape)


class ConvReparam(_Variational):
    """A convolution of `[N, in_channels, H, W]` with a weight, and a bias, that are drawn in each call.

    Args:
        in_channels, out_channels, kernel_size, stride, pad_mode, padding, dilation, group, has_bias: as of `nn.Conv2d`.
        weight_prior_fn, weight_posterior_fn, bias_prior_fn, bias_posterior_fn: as of `DenseReparam`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, pad_mode: str = "same",
        padding: Any = 0, dilation: Any = 1, group: int = 1, has_bias: bool = False,
        weight_prior_fn: Any = NormalPrior, weight_posterior_fn: MakePosterior = normal_post_fn,
        bias_prior_fn: Any = NormalPrior, bias_posterior_fn: MakePosterior = normal_post_fn,
    ) -> None:
        super().__init__()
        options = (kernel_size, stride, pad_mode, padding, dilation, group)
        checked = Conv2d(in_channels, out_channels, *options, has_bias=has_bias, weight_init="zeros")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.pad_mode = checked.kernel_size, checked.stride, checked.pad_mode
        self.padding, self.dilation, self.group = padding, checked.dilation, group
        self._ends = checked._ends
        self._distributions(
            checked.weight.shape, out_channels if has_bias else None, weight_prior_fn, weight_posterior_fn,
            bias_prior_fn, bias_posterior_fn,
        )  # fmt: skip

    def construct(self, x: Tensor) -> Tensor:
        weight = self.weight_posterior("sample")
        bias = self.bias_posterior("sample") if self.has_bias else None
        return ops.conv2d(x, weight, bias, self.stride, self.pad_mode, self._ends, self.dilation, self.group)

    def extend_repr(self) -> str:
        return (
            f"in_channels={self.in_channels}, out_channels={self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, pad_mode={self.pad_mode}, padding={self.padding}, dilation={self.dilation}, "
            f"group={self.group}, has_bias={self.has_bias}"
        )


class WithBNNLossCell(Cell):
    """The loss of a network, plus the divergences (`compute_kl_loss`) of all its layers of this module.

    Args:
        backbone: the network.
        loss_fn: takes its result and the label.
        dnn_factor, bnn_factor: what the loss, and the divergences, are multiplied by; not negative.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """

    def __init__(self, backbone: Cell, loss_fn: Any, dnn_factor: float = 1, bnn_factor: float = 1) -> None:
        super().__init__(auto_prefix=False)
        where = "WithBNNLossCell"
        self.dnn_factor = check.non_negative_float(where, "dnn_factor", float(dnn_factor))
        self.bnn_factor = check.non_negative_float(where, "bnn_factor", float(bnn_factor))
        self._backbone, self._loss_fn = backbone, loss_fn

    def construct(self, x: Tensor, label: Tensor) -> Tensor:
        loss: Tensor = self._loss_fn(self._backbone(x), label) * self.dnn_factor
        layers = [cell for _, cell in self._backbone.cells_and_names() if isinstance(cell, _Variational)]
        for layer in layers:
            loss = loss + layer.compute_kl_loss() * self.bnn_factor
        return loss

    @property
    def backbone_network(self) -> Cell:
        """The network."""
        return self._backbone
