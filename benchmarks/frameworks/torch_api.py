"""PyTorch: eager mode, and `torch.compile` of forward pass, loss and gradients. Optimizers are the fused ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from workloads import Workload, initial_values

from frameworks.torch_networks import NETWORKS


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


def vae_loss(output: tuple[torch.Tensor, ...], x: torch.Tensor) -> torch.Tensor:
    image, mean, log_variance = output
    divergence = -0.5 * (1 + log_variance - mean * mean - torch.exp(log_variance)).mean()
    return F.mse_loss(image, x) + divergence


MODELS: dict[str, Callable[..., nn.Module]] = {
    "linear": linear, "mlp": mlp, "cnn": cnn, "cifar": cifar, "lenet": lenet, **NETWORKS
}  # fmt: skip
LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "cross_entropy": F.cross_entropy, "mse": F.mse_loss, "vae": vae_loss,
    "tokens": lambda y, x: F.cross_entropy(y.reshape(-1, y.shape[-1]), x.reshape(-1)),
}  # fmt: skip


def rmsprop(parameters: list[nn.Parameter], lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """RMSProp as MindSpore has it: the mean of squares is 1 at first."""
    optimizer = torch.optim.RMSprop(parameters, lr, 0.9, 1e-10, weight_decay)
    for p in parameters:
        optimizer.state[p] = {"step": torch.tensor(0.0), "square_avg": torch.ones_like(p)}
    return optimizer


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": partial(torch.optim.SGD, fused=True), "momentum": partial(torch.optim.SGD, momentum=0.9, fused=True),
    "adam": partial(torch.optim.Adam, fused=True), "adamw": partial(torch.optim.AdamW, fused=True), "rmsprop": rmsprop,
}  # fmt: skip


def parameters_of(network: nn.Module) -> list[nn.Parameter]:
    """The parameters, recurrent layers' by kind and then by layer, as MindSpore orders them."""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    found: dict[nn.Parameter, None] = {}
    for module in network.modules():
        named = list(module.named_parameters(recurse=False))
        if isinstance(module, nn.RNNBase):
            named.sort(key=lambda item: kinds.index(item[0].split("_l")[0]))
        found.update(dict.fromkeys(p for _, p in named))
    return list(found)


class Session:
    """A model being trained. `variant` is "eager" or "compile"."""

    def __init__(self, workload: Workload, variant: str, threads: int, dropout: bool) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        torch._dynamo.reset()  # else other sessions' shapes would count as changes of this one's, and end in eager mode
        off = {"dropout": 0.0} if workload.dropout and not dropout else {}
        network = MODELS[workload.model](**workload.sizes, **off)
        network.train()
        parameters = parameters_of(network)
        factors = [p.ndim == 1 and bool((p == 1).all()) for p in parameters]
        with torch.no_grad():
            for p, value in zip(parameters, initial_values([p.shape for p in parameters], factors), strict=True):
                p.copy_(torch.from_numpy(value))
        loss_fn = LOSSES[workload.loss]
        self.optimizer = OPTIMIZERS[workload.optimizer](parameters, workload.lr, weight_decay=workload.decay)
        self.parameters, self.clip = parameters, workload.clip

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
        if self.clip:
            nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()

    def sync(self) -> float:
        """Waits until the last step is done; returns its loss."""
        return float(self.loss.detach())
