"""The networks of `workloads.networks()` for JAX: functions of (parameters, inputs), images channels last.

    def perceptron(p, x, hidden):
        return dense(p, jax.nn.relu(dense(p, x, hidden)), 10)

A network asks `p` for each parameter where it uses it, in the order of the other frameworks' layers, so that the same
function tells which parameters there are (`Shapes`) and computes with them (`Values`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

OUTPUTS_LAST = {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0)}
"""How weights are kept, by their rank: whose outputs come first elsewhere, here they come last."""


class Values:
    """The parameters of a network during a step, handed out in the order in which it asks for them.

    Args:
        weights: as they are kept.
        averages: of the statistics of batches.
        key: the random key.
    """

    def __init__(self, weights: Iterable[Any], averages: Iterable[Any], key: Any) -> None:
        self._weights, self._averages, self._key = iter(weights), iter(averages), key
        self.averages: list[Any] = []

    def __call__(self, *shape: int, factor: bool = False, as_is: bool = False) -> Any:
        """The next parameter.

        Args:
            shape: elsewhere, outputs first; it is kept with the outputs last.
            factor: whether it starts at 1.
            as_is: whether it is kept with this shape.
        """
        return next(self._weights)

    def track(self, *statistics: Any) -> None:
        """Takes these of the batch into their moving averages."""
        self.averages += [0.9 * next(self._averages) + 0.1 * lax.stop_gradient(s) for s in statistics]

    def key(self) -> Any:
        """A random key."""
        self._key, key = jax.random.split(self._key)
        return key


class Shapes:
    """Stands in for `Values` where there are none yet, and notes what a network asks for.

    Attributes:
        shapes: of each parameter, outputs first.
        factors: whether each starts at 1.
        layouts: the permutation in which each is kept.
        averages: the shapes of the moving averages.
    """

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.factors: list[bool] = []
        self.layouts: list[tuple[int, ...]] = []
        self.averages: list[tuple[int, ...]] = []

    def __call__(self, *shape: int, factor: bool = False, as_is: bool = False) -> Any:
        layout = tuple(range(len(shape))) if as_is else OUTPUTS_LAST.get(len(shape), (0,))
        self.shapes.append(shape)
        self.factors.append(factor)
        self.layouts.append(layout)
        return jnp.zeros([shape[axis] for axis in layout])

    def track(self, *statistics: Any) -> None:
        self.averages += [s.shape for s in statistics]

    def key(self) -> Any:
        return jax.random.key(0)


# Layers


def dense(p: Values, x: Any, features: int, bias: bool = True) -> Any:
    """Of the last axis; all others are one, as XLA multiplies matrices faster than stacks of them."""
    y = x.reshape(-1, x.shape[-1]) @ p(features, x.shape[-1])
    y = y + p(features) if bias else y
    return y.reshape(*x.shape[:-1], features)


def dense_stack(p: Values, x: Any, *features: int) -> Any:
    """Dense layers with ReLU between them."""
    for i, count in enumerate(features):
        x = dense(p, jax.nn.relu(x) if i else x, count)
    return x


def gelu_stack(p: Values, x: Any, inner: int, outer: int) -> Any:
    return dense(p, jax.nn.gelu(dense(p, x, inner)), outer)


def conv(
    p: Values, x: Any, features: int, kernel: int = 3, stride: int = 1, bias: bool = False, padding: int | None = None
) -> Any:
    """Of images [N, H, W, C]; by default padded by half a kernel."""
    weight = p(features, x.shape[-1], kernel, kernel)
    around = 2 * [2 * (kernel // 2 if padding is None else padding,)]
    y = lax.conv_general_dilated(
        x, weight, (stride, stride), around, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y + p(features) if bias else y


def depthwise(p: Values, x: Any, kernel: int, stride: int = 1, bias: bool = False) -> Any:
    """A convolution of each channel, as a sum of products: XLA's own takes four times as long."""
    _, h, w, c = x.shape
    weight = p(c, 1, kernel, kernel)
    x = jnp.pad(x, ((0, 0), *2 * [2 * (kernel // 2,)], (0, 0)))
    y = sum(
        x[:, i : i + h : stride, j : j + w : stride] * weight[i, j, 0] for i in range(kernel) for j in range(kernel)
    )
    return y + p(c) if bias else y


def conv_transposed(p: Values, x: Any, features: int, kernel: int, bias: bool = False) -> Any:
    """Doubles height and width."""
    weight = p(x.shape[-1], features, kernel, kernel)
    around = 2 * [2 * (kernel // 2,)] if kernel == 4 else 2 * [(1, 1)]
    y = lax.conv_transpose(
        x, weight, (2, 2), around, dimension_numbers=("NHWC", "HWIO", "NHWC"), transpose_kernel=True
    )
    return y + p(features) if bias else y


def conv1d(p: Values, x: Any, features: int, kernel: int, before: int = 0, dilation: int = 1) -> Any:
    """Of sequences [N, L, C], padded at their beginning."""
    weight = p(features, x.shape[-1], kernel)
    return p(features) + lax.conv_general_dilated(
        x, weight, (1,), [(before, 0)], rhs_dilation=(dilation,), dimension_numbers=("NWC", "WIO", "NWC")
    )


def patches(p: Values, x: Any, features: int, size: int) -> Any:
    """A convolution whose windows lie side by side: a product."""
    n, h, w, c = x.shape
    weight = p(features, c, size, size).reshape(-1, features)
    x = x.reshape(n, h // size, size, w // size, size, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h // size, w // size, -1) @ weight + p(features)


def max_pool(x: Any) -> Any:
    """Of windows of 2 x 2, faster than `lax.reduce_window`.

    The gradient of `max` over axes would ask which elements equal the greatest, which XLA may compute anew from what
    they were made of, rounded otherwise: then none is equal.
    """
    x = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(x[:, :, ::2], x[:, :, 1::2])


def avg_pool(x: Any) -> Any:
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def average(x: Any) -> Any:
    """Of each channel."""
    return x.mean((1, 2))


def channels_last(x: Any) -> Any:
    return x.transpose(0, 2, 3, 1)


def channels_first(x: Any) -> Any:
    return x.transpose(0, 3, 1, 2)


def flat(x: Any) -> Any:
    """Images [N, H, W, C] as rows, in the order of the other frameworks."""
    return channels_first(x).reshape(x.shape[0], -1)


def moments(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """Mean and variance, from one look at the elements; the axes are kept."""
    mean = x.mean(axes, keepdims=True)
    return mean, jnp.maximum((x * x).mean(axes, keepdims=True) - mean * mean, 0)


def normed(x: Any, mean: Any, variance: Any, epsilon: float = 1e-5) -> Any:
    return (x - mean) * lax.rsqrt(variance + epsilon)


def scaled(p: Values, x: Any) -> Any:
    channels = x.shape[-1]
    return x * p(channels, factor=True) + p(channels)


def batch_norm(p: Values, x: Any) -> Any:
    axes = tuple(range(x.ndim - 1))
    mean, variance = moments(x, axes)
    p.track(mean, variance)
    return scaled(p, normed(x, mean, variance))


def layer_norm(p: Values, x: Any, epsilon: float = 1e-5) -> Any:
    return scaled(p, normed(x, *moments(x, (-1,)), epsilon))


def group_norm(p: Values, x: Any, groups: int) -> Any:
    n, h, w, c = x.shape
    grouped = x.reshape(n, h, w, groups, c // groups)
    return scaled(p, normed(grouped, *moments(grouped, (1, 2, 4))).reshape(x.shape))


def instance_norm(p: Values, x: Any) -> Any:
    return scaled(p, normed(x, *moments(x, (1, 2))))


def drop(p: Values, x: Any, rate: float) -> Any:
    return jnp.where(jax.random.bernoulli(p.key(), 1 - rate, x.shape), x / (1 - rate), 0) if rate else x


ACTIVATIONS: dict[str | None, Callable[[Any], Any]] = {
    "relu": jax.nn.relu, "relu6": jax.nn.relu6, "hardswish": jax.nn.hard_swish, "silu": jax.nn.silu,
    "elu": jax.nn.elu, "leaky": jax.nn.leaky_relu, None: lambda x: x,
}  # fmt: skip


def conv_norm(p: Values, x: Any, features: int, kernel: int = 3, stride: int = 1, act: str | None = "relu") -> Any:
    return ACTIVATIONS[act](batch_norm(p, conv(p, x, features, kernel, stride)))


def depthwise_norm(p: Values, x: Any, kernel: int, stride: int, act: str) -> Any:
    return ACTIVATIONS[act](batch_norm(p, depthwise(p, x, kernel, stride)))


# Networks of images


def residual(p: Values, x: Any, features: int, stride: int) -> Any:
    y = conv_norm(p, conv_norm(p, x, features, 3, stride), features, act=None)
    if stride != 1 or x.shape[-1] != features:
        x = conv_norm(p, x, features, 1, stride, act=None)
    return jax.nn.relu(y + x)


def resnet18(p: Values, x: Any) -> Any:
    x = conv_norm(p, channels_last(x), 64)
    for features, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        x = residual(p, residual(p, x, features, stride), features, 1)
    return dense(p, average(x), 10)


def excited(p: Values, x: Any, reduced: int) -> Any:
    """Squeeze and excitation."""
    scale = jax.nn.sigmoid(dense_stack(p, average(x), reduced, x.shape[-1]))
    return x * scale[:, None, None]


def inverted(p: Values, x: Any, features: int, stride: int, act: str) -> Any:
    """An inverted residual block of MobileNet v2 (relu6) or v3 (hardswish, squeeze and excitation)."""
    wide = 4 * x.shape[-1]
    y = depthwise_norm(p, conv_norm(p, x, wide, 1, act=act), 3, stride, act)
    y = excited(p, y, wide // 4) if act == "hardswish" else y
    y = conv_norm(p, y, features, 1, act=None)
    return x + y if x.shape == y.shape else y


def mobilenet(p: Values, x: Any, act: str) -> Any:
    x = conv_norm(p, channels_last(x), 16, 3, 2, act=act)
    for features, stride in ((16, 1), (24, 2), (24, 1), (40, 2), (40, 1)):
        x = inverted(p, x, features, stride, act)
    return dense(p, average(conv_norm(p, x, 160, 1, act=act)), 10)


def vgg(p: Values, x: Any, width: int, dropout: float = 0.5) -> Any:
    x = channels_last(x)
    for features in (width, 2 * width, 4 * width):
        x = max_pool(conv_norm(p, conv_norm(p, x, features), features))
    return dense(p, drop(p, jax.nn.relu(dense(p, flat(x), 256)), dropout), 10)


def unet(p: Values, x: Any, width: int, up: str) -> Any:
    def double(x: Any, features: int) -> Any:
        return conv_norm(p, conv_norm(p, x, features), features)

    def upsample(x: Any, features: int) -> Any:
        if up == "transposed":
            return conv_transposed(p, x, features, 2, bias=True)
        n, h, w, c = x.shape
        return conv(p, jax.image.resize(x, (n, 2 * h, 2 * w, c), up), features, 1)

    a = double(channels_last(x), width)
    b = double(max_pool(a), 2 * width)
    y = double(max_pool(b), 4 * width)
    y = double(jnp.concatenate((upsample(y, 2 * width), b), -1), 2 * width)
    y = double(jnp.concatenate((upsample(y, width), a), -1), width)
    return conv(p, y, 10, 1, bias=True)


def densenet(p: Values, x: Any, growth: int, depth: int) -> Any:
    x = conv(p, channels_last(x), 2 * growth)
    for block in range(3):
        for _ in range(depth):
            x = jnp.concatenate((x, conv(p, jax.nn.relu(batch_norm(p, x)), growth)), -1)
        x = jax.nn.relu(batch_norm(p, x))
        if block < 2:
            x = avg_pool(conv(p, x, x.shape[-1] // 2, 1))
    return dense(p, average(x), 10)


def vae(p: Values, x: Any, latent: int) -> Any:
    """Image, mean and the logarithm of the variance; the noise is a part of the image."""
    h = jax.nn.relu(conv(p, channels_last(x), 32, 3, 2, bias=True))
    h = dense(p, flat(jax.nn.relu(conv(p, h, 64, 3, 2, bias=True))), 2 * latent)
    mean, log_variance = h[:, :latent], h[:, latent:]
    z = mean + jnp.exp(0.5 * log_variance) * x.reshape(x.shape[0], -1)[:, :latent]
    y = channels_last(jax.nn.relu(dense(p, z, 64 * 49)).reshape(-1, 64, 7, 7))
    y = jax.nn.relu(conv_transposed(p, y, 32, 4, bias=True))
    return channels_first(jax.nn.sigmoid(conv_transposed(p, y, 1, 4, bias=True))), mean, log_variance


def generator(p: Values, x: Any, width: int) -> Any:
    x = channels_last(dense(p, x, 4 * width * 16).reshape(-1, 4 * width, 4, 4))
    x = jax.nn.relu(batch_norm(p, x))
    for features in (2 * width, width):
        x = jax.nn.relu(batch_norm(p, conv_transposed(p, x, features, 4)))
    return channels_first(jnp.tanh(conv_transposed(p, x, 3, 4, bias=True)))


def odd_cnn(p: Values, x: Any) -> Any:
    """Nothing in it is a multiple of a vector."""
    x = max_pool(jax.nn.relu(conv(p, channels_last(x), 13, bias=True)))
    x = avg_pool(jax.nn.relu(conv(p, x, 27, 5, bias=True)))
    return dense_stack(p, flat(jax.nn.relu(conv(p, x, 51, 3, 2, bias=True))), 99, 10)


def senet(p: Values, x: Any, width: int) -> Any:
    x = channels_last(x)
    for features, stride in ((width, 1), (2 * width, 2)):
        x = conv_norm(p, x, features, 3, stride)
        y = conv_norm(p, conv_norm(p, x, features), features, act=None)
        x = jax.nn.relu(x + excited(p, y, features // 4))
    return dense(p, average(x), 10)


def normed_cnn(p: Values, x: Any, norm: str, width: int) -> Any:
    x = channels_last(x)
    for features, stride in ((width, 1), (2 * width, 2), (4 * width, 2)):
        x = conv(p, x, features, 3, stride)
        x = jax.nn.relu(group_norm(p, x, 8) if norm == "group" else instance_norm(p, x))
    return dense(p, average(x), 10)


def bottleneck_block(p: Values, x: Any, width: int, stride: int) -> Any:
    """A block of ResNet-50: 1x1, 3x3 and 1x1 around a shortcut."""
    y = conv_norm(p, conv_norm(p, x, width, 1), width, 3, stride)
    y = conv_norm(p, y, 4 * width, 1, act=None)
    if stride != 1 or x.shape != y.shape:
        x = conv_norm(p, x, 4 * width, 1, stride, act=None)
    return jax.nn.relu(y + x)


def bottleneck(p: Values, x: Any, depth: int) -> Any:
    x = conv_norm(p, channels_last(x), 64, 7, 2)
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0)))
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for number in range(depth):
            x = bottleneck_block(p, x, width, stride if number == 0 else 1)
    return dense(p, average(x), 10)


def mbconv(p: Values, x: Any, features: int, kernel: int, stride: int, factor: int) -> Any:
    channels, y = x.shape[-1], x
    wide = factor * channels
    y = conv_norm(p, y, wide, 1, act="silu") if factor > 1 else y
    y = depthwise_norm(p, y, kernel, stride, "silu")
    scale = y.mean((1, 2), keepdims=True)
    scale = jax.nn.silu(conv(p, scale, channels // 4, 1, bias=True))
    y = y * jax.nn.sigmoid(conv(p, scale, wide, 1, bias=True))
    y = conv_norm(p, y, features, 1, act=None)
    return x + y if x.shape == y.shape else y


def efficientnet(p: Values, x: Any) -> Any:
    x = conv_norm(p, channels_last(x), 32, 3, 2, act="silu")
    for features, kernel, stride, factor, depth in (
        (16, 3, 1, 1, 1), (24, 3, 2, 6, 2), (40, 5, 2, 6, 2), (80, 3, 2, 6, 2), (112, 5, 1, 6, 1),
    ):  # fmt: skip
        for number in range(depth):
            x = mbconv(p, x, features, kernel, stride if number == 0 else 1, factor)
    return dense(p, average(conv_norm(p, x, 448, 1, act="silu")), 10)


def convnext_block(p: Values, x: Any) -> Any:
    width = x.shape[-1]
    y = layer_norm(p, depthwise(p, x, 7, bias=True), 1e-6)
    return x + p(width, factor=True) * gelu_stack(p, y, 4 * width, width)


def convnext(p: Values, x: Any, width: int, depth: int) -> Any:
    x = layer_norm(p, patches(p, channels_last(x), width, 4), 1e-6)
    for stage in range(3):
        if stage:
            width *= 2
            x = patches(p, layer_norm(p, x, 1e-6), width, 2)
        for _ in range(depth):
            x = convnext_block(p, x)
    return dense(p, layer_norm(p, average(x), 1e-6), 10)


# Networks of sequences


def attention(p: Values, x: Any, causal: bool = False) -> Any:
    """Several heads of self-attention, of 32 channels each."""
    n, length, width = x.shape
    q, k, v = dense(p, x, 3 * width).reshape(n, length, 3, -1, 32).transpose(2, 0, 3, 1, 4)
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(32)
    scores = jnp.where(jnp.tri(length, dtype=bool), scores, -1e9) if causal else scores
    y = jax.nn.softmax(scores) @ v
    return dense(p, y.transpose(0, 2, 1, 3).reshape(n, length, width), width)


def transformer(p: Values, x: Any, width: int, layers: int) -> Any:
    for _ in range(layers):
        x = layer_norm(p, x + attention(p, x))
        x = layer_norm(p, x + dense_stack(p, x, 4 * width, width))
    return dense(p, x.mean(1), 10)


def block(p: Values, x: Any, causal: bool = False) -> Any:
    x = x + attention(p, layer_norm(p, x), causal)
    return x + gelu_stack(p, layer_norm(p, x), 4 * x.shape[-1], x.shape[-1])


def gpt(p: Values, x: Any, vocabulary: int, length: int, width: int, layers: int, tied: bool) -> Any:
    table = p(vocabulary, width, as_is=True)
    y = table[x] + p(length, width, as_is=True)
    for _ in range(layers):
        y = block(p, y, causal=True)
    y = layer_norm(p, y)
    return y @ table.T if tied else dense(p, y, vocabulary, bias=False)


def vit(p: Values, x: Any, width: int, layers: int) -> Any:
    token, position = p(1, 1, width, as_is=True), p(1, 65, width, as_is=True)
    y = patches(p, channels_last(x), width, 4).reshape(-1, 64, width)
    y = jnp.concatenate((jnp.broadcast_to(token, (y.shape[0], 1, width)), y), 1) + position
    for _ in range(layers):
        y = block(p, y)
    return dense(p, layer_norm(p, y)[:, 0], 10)


def mixer(p: Values, x: Any, width: int, layers: int) -> Any:
    x = patches(p, channels_last(x), width, 4).reshape(-1, 64, width)
    for _ in range(layers):
        x = x + gelu_stack(p, layer_norm(p, x).swapaxes(1, 2), 128, 64).swapaxes(1, 2)
        x = x + gelu_stack(p, layer_norm(p, x), 4 * width, width)
    return dense(p, layer_norm(p, x).mean(1), 10)


def rnn_step(weight: Any, bias: Any, h: Any, x: Any) -> tuple[Any, Any]:
    h = jnp.tanh(x + h @ weight + bias)
    return h, h


def gru_step(weight: Any, bias: Any, h: Any, x: Any) -> tuple[Any, Any]:
    (a, b, c), (d, e, f) = jnp.split(x, 3, -1), jnp.split(h @ weight + bias, 3, -1)
    new = jnp.tanh(c + jax.nn.sigmoid(a + d) * f)
    h = new + jax.nn.sigmoid(b + e) * (h - new)
    return h, h


def lstm_step(weight: Any, bias: Any, state: Any, x: Any) -> tuple[Any, Any]:
    h, c = state
    i, f, g, o = jnp.split(x + h @ weight + bias, 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def recurrent(
    p: Values, x: Any, kind: str, inputs: int, hidden: int, layers: int = 1, bidirectional: bool = False
) -> Any:
    """Layers of `lax.scan`; the product of the inputs is made for all of the steps at once.

    XLA runs the other kinds faster unrolled, and one layer of LSTM slower.
    """
    step, gates = {"rnn": (rnn_step, 1), "gru": (gru_step, 3), "lstm": (lstm_step, 4)}[kind]
    ways, rows = 1 + bidirectional, gates * hidden
    widths = [inputs if layer == 0 else ways * hidden for layer in range(layers) for _ in range(ways)]
    into = [p(rows, width) for width in widths]
    again = [p(rows, hidden) for _ in widths]
    biases = [[p(rows) for _ in widths] for _ in range(2)]
    x = x.swapaxes(0, 1)
    zeros = jnp.zeros((x.shape[1], hidden))
    for layer in range(layers):
        found = []
        for way in range(ways):
            i = layer * ways + way
            products = x @ into[i] + biases[0][i]
            advance = jax.tree_util.Partial(step, again[i], biases[1][i])
            start = (zeros, zeros) if kind == "lstm" else zeros
            found.append(lax.scan(advance, start, products, reverse=way == 1, unroll=kind != "lstm")[1])
        x = jnp.concatenate(found, -1) if bidirectional else found[0]
    return dense(p, x[-1], 10)


def textcnn(p: Values, x: Any, vocabulary: int, width: int, dropout: float = 0.5) -> Any:
    x = p(vocabulary, width, as_is=True)[x]
    pooled = [jax.nn.relu(conv1d(p, x, 64, size)).max(1) for size in (3, 4, 5)]
    return dense(p, drop(p, jnp.concatenate(pooled, 1), dropout), 10)


def tcn(p: Values, x: Any, channels: int, width: int) -> Any:
    """Blocks of two dilated causal convolutions and a shortcut (Bai et al. 2018)."""
    x = x.swapaxes(1, 2)
    for dilation in (1, 2, 4, 8):
        y = jax.nn.relu(conv1d(p, x, width, 3, 2 * dilation, dilation))
        y = jax.nn.relu(conv1d(p, y, width, 3, 2 * dilation, dilation))
        x = jax.nn.relu(y + (x if x.shape == y.shape else conv1d(p, x, width, 1)))
    return dense(p, x[:, -1], 10)


# Perceptrons and embeddings


def autoencoder(p: Values, x: Any) -> Any:
    return dense_stack(p, x, 256, 64, 256, 784)


def mlp_norm(p: Values, x: Any, act: str, width: int, dropout: float = 0.2) -> Any:
    x = x.reshape(x.shape[0], -1)
    for _ in range(2):
        x = drop(p, ACTIVATIONS[act](batch_norm(p, dense(p, x, width))), dropout)
    return dense(p, x, 10)


def recommender(p: Values, x: Any, fields: int, rows: int, width: int) -> Any:
    """Embeddings of categories, their products in pairs, and a perceptron on top."""
    found = jnp.stack([p(rows, width, as_is=True)[x[:, i]] for i in range(fields)], 1)
    pairs = found @ found.swapaxes(1, 2)
    return dense_stack(p, jnp.concatenate([part.reshape(x.shape[0], -1) for part in (found, pairs)], 1), 64, 10)


def bag(p: Values, x: Any, rows: int, width: int) -> Any:
    """The mean of the embeddings of a sample's words, and a perceptron."""
    return dense_stack(p, p(rows, width, as_is=True)[x].mean(1), 64, 10)


def siamese(p: Values, x: Any, inputs: int, width: int) -> Any:
    """One encoder for both views of a sample; its result is the matrix of the views' similarities."""
    y = dense_stack(p, x, width, 64)
    y = y / jnp.linalg.norm(y, axis=-1, keepdims=True)
    return y[:, 0] @ y[:, 1].T / 0.1


NETWORKS: dict[str, Callable[..., Any]] = {
    "resnet18": resnet18, "transformer": transformer, "recurrent": recurrent, "autoencoder": autoencoder,
    "mobilenet": mobilenet, "vgg": vgg, "unet": unet, "densenet": densenet, "vae": vae, "generator": generator,
    "textcnn": textcnn, "gpt": gpt, "vit": vit, "mixer": mixer, "mlp_norm": mlp_norm, "odd_cnn": odd_cnn,
    "recommender": recommender, "bag": bag, "siamese": siamese, "senet": senet, "normed": normed_cnn, "tcn": tcn,
    "bottleneck": bottleneck, "efficientnet": efficientnet, "convnext": convnext,
}  # fmt: skip
