"""JAX: `jit` of the whole step, parameters and optimizer state donated; images channels last, which it runs faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from workloads import Workload, initial_values

from frameworks.jax_networks import NETWORKS, Shapes, Values, channels_last, conv, dense_stack, drop, flat, max_pool


def linear(p: Values, x: Any) -> Any:
    return dense_stack(p, x, 1)


def mlp(p: Values, x: Any, inputs: int, hidden: int) -> Any:
    return dense_stack(p, x.reshape(-1, inputs), hidden, hidden, 10)


def convolutional(p: Values, x: Any, features: tuple[int, int], dropout: float = 0.0) -> Any:
    """Two convolutions with pooling and dropout."""
    x = channels_last(x)
    for count in features:
        x = drop(p, max_pool(jax.nn.relu(conv(p, x, count, 5, bias=True, padding=0))), dropout)
    return flat(x)


def cnn(p: Values, x: Any, dropout: float = 0.3) -> Any:
    return dense_stack(p, convolutional(p, x, (32, 64), dropout), 512, 10)


def lenet(p: Values, x: Any) -> Any:
    return dense_stack(p, convolutional(p, x, (6, 16)), 120, 84, 10)


def cross_entropy(logits: Any, y: Any) -> Any:
    """Of the last axis."""
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None], -1))


def mean_squares(prediction: Any, y: Any) -> Any:
    return jnp.mean((prediction - y) ** 2)


def vae_loss(output: tuple[Any, ...], x: Any) -> Any:
    image, mean, log_variance = output
    return mean_squares(image, x) - 0.5 * jnp.mean(1 + log_variance - mean * mean - jnp.exp(log_variance))


MODELS: dict[str, Callable[..., Any]] = {
    "linear": linear, "mlp": mlp, "cnn": cnn, "cifar": lenet, "lenet": lenet, **NETWORKS
}  # fmt: skip
"""Functions of (parameters, inputs)."""

LOSSES: dict[str, Callable[..., Any]] = {
    "cross_entropy": cross_entropy, "mse": mean_squares, "vae": vae_loss, "tokens": cross_entropy
}  # fmt: skip


def decayed(g: Any, w: Any, decay: float) -> Any:
    return g + decay * w if decay else g


def sgd(w: Any, g: Any, slots: list[Any], t: Any, lr: float, decay: float) -> tuple[Any, list[Any]]:
    return w - lr * decayed(g, w, decay), []


def momentum(w: Any, g: Any, slots: list[Any], t: Any, lr: float, decay: float) -> tuple[Any, list[Any]]:
    v = 0.9 * slots[0] + decayed(g, w, decay)
    return w - lr * v, [v]


def rmsprop(w: Any, g: Any, slots: list[Any], t: Any, lr: float, decay: float) -> tuple[Any, list[Any]]:
    g = decayed(g, w, decay)
    s = 0.9 * slots[0] + 0.1 * g * g
    return w - lr * g * jax.lax.rsqrt(s + 1e-10), [s]


def adamw(w: Any, g: Any, slots: list[Any], t: Any, lr: float, decay: float) -> tuple[Any, list[Any]]:
    m, v = 0.9 * slots[0] + 0.1 * g, 0.999 * slots[1] + 0.001 * g * g
    rate = lr * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return w * (1 - lr * decay) - rate * m / (jnp.sqrt(v) + 1e-8), [m, v]


OPTIMIZERS: dict[str, tuple[Callable[..., tuple[Any, list[Any]]], tuple[float, ...]]] = {
    "sgd": (sgd, ()), "momentum": (momentum, (0.0,)), "rmsprop": (rmsprop, (1.0,)),
    "adam": (adamw, (0.0, 0.0)), "adamw": (adamw, (0.0, 0.0)),
}  # fmt: skip
"""What updates a parameter, given its gradient, slots and the number of the step, and where its slots start."""


def clipped(grads: list[Any], clip: float) -> list[Any]:
    """The gradients, made shorter if all of them together are longer than `clip`."""
    norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in grads))
    return [g * (clip / jnp.maximum(norm, clip)) for g in grads]


class Session:
    """A model being trained. `variant` is "jit"."""

    def __init__(self, workload: Workload, variant: str, threads: int, dropout: bool) -> None:
        options = {**workload.sizes, **({"dropout": 0.0} if workload.dropout and not dropout else {})}
        network, loss_fn = MODELS[workload.model], LOSSES[workload.loss]
        update, starts = OPTIMIZERS[workload.optimizer]
        asked = Shapes()
        sample = jnp.zeros((workload.batch, *workload.inputs), jnp.int32 if workload.vocabulary else jnp.float32)
        jax.eval_shape(lambda x: network(asked, x, **options), sample)
        values = zip(initial_values(asked.shapes, asked.factors), asked.layouts, strict=True)
        weights = [jnp.asarray(value.transpose(layout)) for value, layout in values]
        slots = [[jnp.full_like(w, start) for start in starts] for w in weights]
        averages = [jnp.zeros(shape) for shape in asked.averages]
        self.state: Any = weights, slots, averages, jnp.zeros(()), jax.random.key(0)

        def train_step(state: Any, x: Any, y: Any) -> tuple[Any, Any]:
            weights, slots, averages, t, key = state
            key, use = jax.random.split(key) if workload.dropout and dropout else (key, key)

            def loss_of(weights: list[Any]) -> tuple[Any, list[Any]]:
                p = Values(weights, averages, use)
                return loss_fn(network(p, x, **options), y), p.averages

            (loss, averages), grads = jax.value_and_grad(loss_of, has_aux=True)(weights)
            grads = clipped(grads, workload.clip) if workload.clip else grads
            updated = [update(*item, t + 1, workload.lr, workload.decay) for item in zip(weights, grads, slots)]
            return ([w for w, _ in updated], [s for _, s in updated], averages, t + 1, key), loss

        self.train_step = jax.jit(train_step, donate_argnums=0)
        self.loss: Any = None

    def prepare(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The arrays in the types that the framework takes."""
        return x, y

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        """Makes one step from NumPy arrays."""
        self.state, self.loss = self.train_step(self.state, x, y)

    def sync(self) -> float:
        """Waits until the last step is done; returns its loss."""
        jax.block_until_ready(self.state)
        return float(self.loss)
