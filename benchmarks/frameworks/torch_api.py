"""PyTorch: eager mode, and `torch.compile` of forward pass, loss and gradients. Optimizers are the fused ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from workloads import Workload, initial_values


def linear() -> nn.Module:
    return nn.Linear(1, 1)


def mlp(inputs: int, hidden: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10)
    )


def cnn(dropout: float = 0.3) -> nn.Module:
    def stage(channels: int, features: int) -> list[nn.Module]:
        drop = [nn.Dropout(dropout)] if dropout else []
        return [nn.Conv2d(channels, features, 5), nn.ReLU(), nn.MaxPool2d(2), *drop]

    return nn.Sequential(
        *stage(1, 32), *stage(32, 64), nn.Flatten(), nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 10)
    )


def lenet(channels: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def cifar() -> nn.Module:
    return lenet(channels=3)


class Residual(nn.Module):
    def __init__(self, channels: int, features: int, stride: int) -> None:
        super().__init__()

        def conv(inputs: int, kernel: int, stride: int) -> nn.Module:
            return nn.Conv2d(inputs, features, kernel, stride, kernel // 2, bias=False)

        self.conv1, self.bn1 = conv(channels, 3, stride), nn.BatchNorm2d(features)
        self.conv2, self.bn2 = conv(features, 3, 1), nn.BatchNorm2d(features)
        if stride != 1 or channels != features:
            self.shortcut = nn.Sequential(conv(channels, 1, stride), nn.BatchNorm2d(features))
        else:
            self.shortcut = nn.Sequential()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class ResNet18(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        blocks, channels = [], 64
        for features, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [Residual(channels, features, stride), Residual(features, features, 1)]
            channels = features
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(512, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class Encoder(nn.Module):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, width // 32, 4 * width, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers)
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x).mean(1))


class Sequence(nn.Module):
    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.lstm(x)
        return self.head(y[:, -1])


def autoencoder() -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in ((784, 256), (256, 64), (64, 256)):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(256, 784))


MODELS: dict[str, Callable[..., nn.Module]] = {
    "linear": linear, "mlp": mlp, "cnn": cnn, "cifar": cifar, "lenet": lenet, "resnet18": ResNet18,
    "transformer": Encoder, "lstm": Sequence, "autoencoder": autoencoder,
}  # fmt: skip


class Session:
    """A model being trained. `variant` is "eager" or "compile"."""

    def __init__(self, workload: Workload, variant: str, threads: int, dropout: bool) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        torch._dynamo.reset()  # else other sessions' shapes would count as changes of this one's, and end in eager mode
        off = {"dropout": 0.0} if workload.model == "cnn" and not dropout else {}
        network = MODELS[workload.model](**workload.sizes, **off)
        network.train()
        parameters = list(network.parameters())
        factors = [p.ndim == 1 and bool((p == 1).all()) for p in parameters]
        with torch.no_grad():
            for p, value in zip(parameters, initial_values([p.shape for p in parameters], factors), strict=True):
                p.copy_(torch.from_numpy(value))
        loss_fn = F.cross_entropy if workload.loss == "cross_entropy" else F.mse_loss
        self.optimizer: torch.optim.Optimizer = {
            "sgd": lambda: torch.optim.SGD(parameters, workload.lr, fused=True),
            "momentum": lambda: torch.optim.SGD(parameters, workload.lr, 0.9, fused=True),
            "adam": lambda: torch.optim.Adam(parameters, workload.lr, fused=True),
        }[workload.optimizer]()

        def forward(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return loss_fn(network(x), y)

        self.forward = torch.compile(forward) if variant == "compile" else forward
        self.loss: Any = None

    def prepare(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The arrays in the types that the framework takes."""
        return x, y.astype(np.int64) if y.dtype == np.int32 else y

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        """Makes one step from NumPy arrays."""
        self.optimizer.zero_grad()
        self.loss = self.forward(torch.from_numpy(x), torch.from_numpy(y))
        self.loss.backward()
        self.optimizer.step()

    def sync(self) -> float:
        """Waits until the last step is done; returns its loss."""
        return float(self.loss.detach())
