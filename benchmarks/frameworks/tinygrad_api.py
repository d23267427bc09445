"""tinygrad: `TinyJit` of the whole step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tinygrad import Context, Device, Tensor, TinyJit, nn
from workloads import Workload, initial_values

Layers = list[Any]


def pooled(x: Tensor) -> Tensor:
    return x.relu().max_pool2d((2, 2))


def flat(x: Tensor) -> Tensor:
    return x.flatten(1)


def mlp(inputs: int, hidden: int) -> Layers:
    dense = [nn.Linear(inputs, hidden), Tensor.relu, nn.Linear(hidden, hidden), Tensor.relu, nn.Linear(hidden, 10)]
    return [flat, *dense]


def cnn(dropout: float = 0.3) -> Layers:
    def drop(x: Tensor) -> Tensor:
        return x.dropout(dropout)

    return [
        nn.Conv2d(1, 32, 5), pooled, drop, nn.Conv2d(32, 64, 5), pooled, drop, flat, nn.Linear(1024, 512),
        Tensor.relu, nn.Linear(512, 10),
    ]  # fmt: skip


def lenet(channels: int = 1) -> Layers:
    return [
        nn.Conv2d(channels, 6, 5), pooled, nn.Conv2d(6, 16, 5), pooled, flat, nn.Linear(400, 120), Tensor.relu,
        nn.Linear(120, 84), Tensor.relu, nn.Linear(84, 10),
    ]  # fmt: skip


MODELS: dict[str, Callable[..., Layers]] = {
    "linear": lambda: [nn.Linear(1, 1)], "mlp": mlp, "cnn": cnn, "cifar": lambda: lenet(3), "lenet": lenet,
}  # fmt: skip


OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": lambda p, lr, decay: nn.optim.SGD(p, lr, weight_decay=decay),
    "momentum": lambda p, lr, decay: nn.optim.SGD(p, lr, momentum=0.9, weight_decay=decay),
    "adam": lambda p, lr, decay: nn.optim.Adam(p, lr),
    "adamw": lambda p, lr, decay: nn.optim.AdamW(p, lr, weight_decay=decay),
}


def training() -> Any:
    """In which layers drop and optimizers step: newer versions have a variable of the context for it."""
    return Tensor.train() if hasattr(Tensor, "train") else Context(TRAINING=1)


def clip(parameters: list[Tensor], longest: float) -> None:
    """Shortens the gradients if all of them together are longer."""
    norm = sum((p.grad.square().sum() for p in parameters), Tensor(0.0)).sqrt()
    for p in parameters:
        p.grad = p.grad * (longest / norm.maximum(longest))


class Session:
    """A model being trained. `variant` is "jit"."""

    def __init__(self, workload: Workload, variant: str, threads: int, dropout: bool) -> None:
        Tensor.manual_seed(0)
        off = {"dropout": 0.0} if workload.dropout and not dropout else {}
        layers = MODELS[workload.model](**workload.sizes, **off)
        parameters = [p for layer in layers if hasattr(layer, "weight") for p in (layer.weight, layer.bias)]
        for p, value in zip(parameters, initial_values([p.shape for p in parameters], [False] * len(parameters))):
            p.assign(Tensor(value)).realize()
        optimizer = OPTIMIZERS[workload.optimizer](parameters, workload.lr, workload.decay)

        @TinyJit
        def train_step(x: Tensor, y: Tensor) -> Tensor:
            optimizer.zero_grad()
            out = x.sequential(layers)
            classes = workload.loss == "cross_entropy"
            loss = out.sparse_categorical_crossentropy(y) if classes else (out - y).square().mean()
            loss.backward()
            if workload.clip:
                clip(parameters, workload.clip)
            return loss.realize(*optimizer.schedule_step())

        self.train_step = train_step
        self.loss: Any = None

    def prepare(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The arrays in the types that the framework takes."""
        return x, y

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        """Makes one step from NumPy arrays."""
        with training():
            self.loss = self.train_step(Tensor(x).realize(), Tensor(y).realize())

    def sync(self) -> float:
        """Waits until the last step is done; returns its loss."""
        Device[Device.DEFAULT].synchronize()
        return float(self.loss.item())
