"""graphc and MindSpore: one program serves both, as graphc's user writes MindSpore."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from workloads import Workload, initial_values

ms = importlib.import_module(os.environ["BENCHMARK_FRAMEWORK"])
nn, ops = ms.nn, ms.ops


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


class Residual(nn.Cell):
    def __init__(self, channels: int, features: int, stride: int) -> None:
        super().__init__()

        def conv(inputs: int, kernel: int, stride: int) -> Any:
            return nn.Conv2d(inputs, features, kernel, stride, pad_mode="pad", padding=kernel // 2)

        self.conv1, self.bn1 = conv(channels, 3, stride), nn.BatchNorm2d(features)
        self.conv2, self.bn2 = conv(features, 3, 1), nn.BatchNorm2d(features)
        self.relu = nn.ReLU()
        self.projects = stride != 1 or channels != features
        if self.projects:
            self.shortcut = nn.SequentialCell(conv(channels, 1, stride), nn.BatchNorm2d(features))

    def construct(self, x: Any) -> Any:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (self.shortcut(x) if self.projects else x))


class ResNet18(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        blocks, channels = [], 64
        for features, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [Residual(channels, features, stride), Residual(features, features, 1)]
            channels = features
        self.stem = nn.SequentialCell(
            nn.Conv2d(3, 64, 3, pad_mode="pad", padding=1), nn.BatchNorm2d(64), nn.ReLU()
        )
        self.blocks = nn.SequentialCell(*blocks)
        self.head = nn.Dense(512, 10)

    def construct(self, x: Any) -> Any:
        return self.head(ops.mean(self.blocks(self.stem(x)), (2, 3)))


class Encoder(nn.Cell):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, width // 32, 4 * width, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers)
        self.head = nn.Dense(width, 10)

    def construct(self, x: Any) -> Any:
        return self.head(ops.mean(self.encoder(x), 1))


class Sequence(nn.Cell):
    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.head = nn.Dense(hidden, 10)

    def construct(self, x: Any) -> Any:
        y, _ = self.lstm(x)
        return self.head(y[:, -1])


def autoencoder() -> Any:
    layers: list[Any] = []
    for inputs, outputs in ((784, 256), (256, 64), (64, 256)):
        layers += [nn.Dense(inputs, outputs), nn.ReLU()]
    return nn.SequentialCell(*layers, nn.Dense(256, 784))


MODELS: dict[str, Callable[..., Any]] = {
    "linear": linear, "mlp": mlp, "cnn": cnn, "cifar": cifar, "lenet": lenet, "resnet18": ResNet18,
    "transformer": Encoder, "lstm": Sequence, "autoencoder": autoencoder,
}  # fmt: skip


class Session:
    """A model being trained. `variant` is "graph" (`jit` of the whole step) or "eager"."""

    def __init__(self, workload: Workload, variant: str, threads: int, dropout: bool) -> None:
        ms.set_context(mode=ms.GRAPH_MODE if variant == "graph" else ms.PYNATIVE_MODE, runtime_num_threads=threads)
        ms.set_seed(0)
        off = {"dropout": 0.0} if workload.model == "cnn" and not dropout else {}
        network = MODELS[workload.model](**workload.sizes, **off)
        network.set_train()
        parameters = network.trainable_params()
        old = [p.asnumpy() for p in parameters]
        for p, value in zip(parameters, initial_values([p.shape for p in parameters], _factors(old)), strict=True):
            p.set_data(ms.Tensor(value))
        loss_fn = nn.CrossEntropyLoss() if workload.loss == "cross_entropy" else nn.MSELoss()
        optimizer = {
            "sgd": lambda: nn.SGD(parameters, workload.lr),
            "momentum": lambda: nn.Momentum(parameters, workload.lr, 0.9),
            "adam": lambda: nn.Adam(parameters, workload.lr),
        }[workload.optimizer]()

        def forward(x: Any, y: Any) -> Any:
            return loss_fn(network(x), y)

        grad_fn = ms.value_and_grad(forward, None, optimizer.parameters)

        def train_step(x: Any, y: Any) -> Any:
            loss, grads = grad_fn(x, y)
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
