"""JAX: `jit` of the whole step, parameters and optimizer state donated; images channels last, which it runs faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from workloads import Workload, initial_values

Layer = tuple[int, ...]


def conv(x: Any, weight: Any, bias: Any) -> Any:
    weight = weight.transpose(2, 3, 1, 0)
    return lax.conv_general_dilated(x, weight, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias


def pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def drop(x: Any, key: Any, rate: float) -> Any:
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0) if rate else x


def dense_stack(x: Any, parameters: list[Any]) -> Any:
    """Dense layers with ReLU between them."""
    for i in range(0, len(parameters), 2):
        x = x @ parameters[i].T + parameters[i + 1]
        x = jax.nn.relu(x) if i + 2 < len(parameters) else x
    return x


def convolutional(p: list[Any], x: Any, key: Any, rate: float) -> Any:
    """Two convolutions with pooling and dropout, then dense layers."""
    first, second = jax.random.split(key)
    x = x.transpose(0, 2, 3, 1)
    x = drop(pool(jax.nn.relu(conv(x, p[0], p[1]))), first, rate)
    x = drop(pool(jax.nn.relu(conv(x, p[2], p[3]))), second, rate)
    return dense_stack(x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1), p[4:])


def dense(p: list[Any], x: Any, key: Any, rate: float) -> Any:
    return dense_stack(x.reshape(x.shape[0], -1), p)


def with_biases(*weights: Layer) -> list[Layer]:
    """The shapes of weights, each followed by its bias."""
    return [shape for weight in weights for shape in (weight, weight[:1])]


def lenet(channels: int) -> list[Layer]:
    return with_biases((6, channels, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84))


MODELS: dict[str, tuple[Callable[..., list[Layer]], Callable[..., Any]]] = {
    "linear": (lambda: with_biases((1, 1)), dense),
    "mlp": (lambda inputs, hidden: with_biases((hidden, inputs), (hidden, hidden), (10, hidden)), dense),
    "cnn": (lambda: with_biases((32, 1, 5, 5), (64, 32, 5, 5), (512, 1024), (10, 512)), convolutional),
    "cifar": (lambda: lenet(3), convolutional),
    "lenet": (lambda: lenet(1), convolutional),
    "autoencoder": (lambda: with_biases((256, 784), (64, 256), (256, 64), (784, 256)), dense),
}
"""For each model the shapes of its parameters, and the function of (parameters, inputs, random key, dropout rate)."""


def cross_entropy(logits: Any, y: Any) -> Any:
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1))


def mean_squares(prediction: Any, y: Any) -> Any:
    return jnp.mean((prediction - y) ** 2)


def sgd(p: list[Any], state: Any, grads: list[Any], lr: float) -> tuple[list[Any], Any]:
    return [a - lr * g for a, g in zip(p, grads)], state


def momentum(p: list[Any], state: Any, grads: list[Any], lr: float) -> tuple[list[Any], Any]:
    state = [0.9 * v + g for v, g in zip(state, grads)]
    return [a - lr * v for a, v in zip(p, state)], state


def adam(p: list[Any], state: Any, grads: list[Any], lr: float) -> tuple[list[Any], Any]:
    step, m, v = state[0] + 1, state[1], state[2]
    m = [0.9 * a + 0.1 * g for a, g in zip(m, grads)]
    v = [0.999 * a + 0.001 * g * g for a, g in zip(v, grads)]
    rate = lr * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return [w - rate * a / (jnp.sqrt(b) + 1e-8) for w, a, b in zip(p, m, v)], (step, m, v)


class Session:
    """A model being trained. `variant` is "jit"."""

    def __init__(self, workload: Workload, variant: str, threads: int, dropout: bool) -> None:
        shapes, model = MODELS[workload.model]
        rate = 0.3 if workload.dropout and dropout else 0.0
        layers = shapes(**workload.sizes)
        self.parameters = [jnp.asarray(value) for value in initial_values(layers, [False] * len(layers))]
        update = {"sgd": sgd, "momentum": momentum, "adam": adam}[workload.optimizer]

        def zeros() -> list[Any]:
            return [jnp.zeros_like(p) for p in self.parameters]

        self.state: Any = (jnp.zeros(()), zeros(), zeros()) if workload.optimizer == "adam" else zeros()
        self.key = jax.random.key(0)
        loss_fn = cross_entropy if workload.loss == "cross_entropy" else mean_squares

        def train_step(p: list[Any], state: Any, key: Any, x: Any, y: Any) -> tuple[list[Any], Any, Any, Any]:
            key, use = jax.random.split(key) if rate else (key, key)
            loss, grads = jax.value_and_grad(lambda p: loss_fn(model(p, x, use, rate), y))(p)
            p, state = update(p, state, grads, workload.lr)
            return p, state, key, loss

        self.train_step = jax.jit(train_step, donate_argnums=(0, 1, 2))
        self.loss: Any = None

    def prepare(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The arrays in the types that the framework takes."""
        return x, y

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        """Makes one step from NumPy arrays."""
        self.parameters, self.state, self.key, self.loss = self.train_step(
            self.parameters, self.state, self.key, x, y
        )

    def sync(self) -> float:
        """Waits until the last step is done; returns its loss."""
        jax.block_until_ready(self.parameters)
        return float(self.loss)
