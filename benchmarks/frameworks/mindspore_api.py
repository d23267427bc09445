"""graphc and MindSpore: one program serves both, as graphc's user writes MindSpore."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from workloads import Workload, initial_values

from frameworks.mindspore_networks import NETWORKS

ms = importlib.import_module(os.environ["BENCHMARK_FRAMEWORK"])
nn, ops = ms.nn, ms.ops
AdamW = importlib.import_module(f"{ms.__name__}.experimental.optim").AdamW


def convolution(channels: int, features: int, kernel: int) -> Any:
    return nn.Conv2d(channels, features, kernel, pad_mode="valid", has_bias=True)


def linear() -> Any:
    return nn.Dense(1, 1)


def mlp(inputs: int, hidden: int) -> Any:
    return nn.SequentialCell(
        nn.Flatten(), nn.Dense(inputs, hidden), nn.ReLU(), nn.Dense(hidden, hidden), nn.ReLU(), nn.Dense(hidden, 10)
    )


def cnn(dropout: float = 0.3) -> Any:
    def stage(channels: int, features: int) -> list[Any]:
        drop = [nn.Dropout(p=dropout)] if dropout else []
        return [convolution(channels, features, 5), nn.ReLU(), nn.MaxPool2d(2, 2), *drop]

    return nn.SequentialCell(
        *stage(1, 32), *stage(32, 64), nn.Flatten(), nn.Dense(1024, 512), nn.ReLU(), nn.Dense(512, 10)
    )


def lenet(channels: int = 1) -> Any:
    return nn.SequentialCell(
        convolution(channels, 6, 5), nn.ReLU(), nn.MaxPool2d(2, 2), convolution(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2, 2), nn.Flatten(), nn.Dense(400, 120), nn.ReLU(), nn.Dense(120, 84), nn.ReLU(),
        nn.Dense(84, 10),
    )  # fmt: skip


def cifar() -> Any:
    return lenet(channels=3)


def vae_loss(output: Any, x: Any) -> Any:
    image, mean, log_variance = output
    divergence = -0.5 * (1 + log_variance - mean * mean - ops.exp(log_variance)).mean()
    return ops.mse_loss(image, x) + divergence


MODELS: dict[str, Callable[..., Any]] = {
    "linear": linear, "mlp": mlp, "cnn": cnn, "cifar": cifar, "lenet": lenet, **NETWORKS
}  # fmt: skip
LOSSES: dict[str, Callable[[], Any]] = {
    "cross_entropy": nn.CrossEntropyLoss, "mse": nn.MSELoss, "vae": lambda: vae_loss,
    "tokens": lambda: lambda y, x: ops.cross_entropy(y.reshape(-1, y.shape[-1]), x.reshape(-1)),
}  # fmt: skip
OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": nn.SGD, "adam": nn.Adam, "rmsprop": nn.RMSProp,
    "momentum": lambda parameters, lr, weight_decay: nn.Momentum(parameters, lr, 0.9, weight_decay),
    "adamw": lambda parameters, lr, weight_decay: AdamW(parameters, lr, weight_decay=weight_decay),
}  # fmt: skip


class Session:
    """A model being trained. `variant` is "graph" (`jit` of the whole step) or "eager"."""

    def __init__(self, workload: Workload, variant: str, threads: int, dropout: bool) -> None:
        ms.set_context(mode=ms.GRAPH_MODE if variant == "graph" else ms.PYNATIVE_MODE, runtime_num_threads=threads)
        ms.set_seed(0)
        off = {"dropout": 0.0} if workload.dropout and not dropout else {}
        network = MODELS[workload.model](**workload.sizes, **off)
        network.set_train()
        parameters = network.trainable_params()
        old = [p.asnumpy() for p in parameters]
        for p, value in zip(parameters, initial_values([p.shape for p in parameters], _factors(old)), strict=True):
            p.set_data(ms.Tensor(value))
        loss_fn = LOSSES[workload.loss]()
        optimizer = OPTIMIZERS[workload.optimizer](parameters, workload.lr, weight_decay=workload.decay)
        clip = workload.clip

        def forward(x: Any, y: Any) -> Any:
            return loss_fn(network(x), y)

        grad_fn = ms.value_and_grad(forward, None, network.trainable_params())

        def train_step(x: Any, y: Any) -> Any:
            loss, grads = grad_fn(x, y)
            if clip:
                grads = ops.clip_by_global_norm(grads, clip)
            optimizer(grads)
            return loss

        self.train_step = ms.jit(train_step) if variant == "graph" else train_step
        self.loss: Any = None

    def prepare(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The arrays in the types that the framework takes."""
        return x, y

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        """Makes one step from NumPy arrays."""
        self.loss = self.train_step(ms.from_numpy(x), ms.from_numpy(y))

    def sync(self) -> float:
        """Waits until the last step is done; returns its loss."""
        if hasattr(ms, "runtime") and hasattr(ms.runtime, "synchronize"):
            ms.runtime.synchronize()
        return float(self.loss.asnumpy())


def _factors(values: list[np.ndarray]) -> list[bool]:
    return [value.ndim == 1 and bool((value == 1).all()) for value in values]
