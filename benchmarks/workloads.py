"""What is measured, without any framework: training steps with their data and initial weights, all of it reproducible.

Every framework builds the model of a workload with its own layers, in the same order of parameters, and starts from
`initial_values`, so that all of them make the same steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Workload:
    """A training step.

    Attributes:
        model: its name in each framework's `MODELS`.
        batch: samples of a batch.
        inputs: the shape of one sample.
        target: "classes" (0 to 9), "line" (y = 2x + 0.5) or "inputs" (the sample itself).
        loss: "cross_entropy" or "mse".
        optimizer: "sgd", "momentum" (0.9) or "adam".
        lr: the learning rate.
        sizes: arguments of the model.
        name: what tables call it; by default the model and its sizes.
    """

    model: str
    batch: int
    inputs: tuple[int, ...]
    target: str = "classes"
    loss: str = "cross_entropy"
    optimizer: str = "adam"
    lr: float = 1e-3
    sizes: dict[str, int] = field(default_factory=dict)
    name: str = ""

    @property
    def label(self) -> str:
        """What tables call it."""
        sizes = " ".join(f"{name}={size}" for name, size in self.sizes.items())
        return f"{self.name or ' '.join(filter(None, (self.model, sizes)))} batch {self.batch}"

    def batches(self, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Inputs float32 [batch, *inputs] and labels: int32 [batch], or float32 where the target is not a class."""
        rng = np.random.default_rng(1)
        made = []
        for _ in range(count):
            x = rng.standard_normal((self.batch, *self.inputs)).astype(np.float32)
            made.append((x, self._labels(x, rng)))
        return made

    def _labels(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.target == "classes":
            return rng.integers(0, 10, self.batch).astype(np.int32)
        return (2 * x + 0.5).astype(np.float32) if self.target == "line" else x.copy()

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return asdict(self)

    @staticmethod
    def from_json(fields: dict[str, Any]) -> Workload:
        """The workload that was written by `to_json`."""
        return Workload(**{**fields, "inputs": tuple(fields["inputs"])})


def initial_values(shapes: Sequence[tuple[int, ...]], ones: Sequence[bool]) -> list[np.ndarray]:
    """Parameters to start from: normal numbers over the square root of the fan-in, and for vectors 0 or 1.

    Args:
        shapes: of every parameter, the outputs first.
        ones: for every parameter, whether it is a factor (of a normalisation), which starts at 1.
    """
    rng = np.random.default_rng(0)
    values = []
    for shape, is_one in zip(shapes, ones, strict=True):
        if len(shape) < 2:
            values.append(np.full(shape, float(is_one), np.float32))
        else:
            fan_in = int(np.prod(shape[1:]))
            values.append((rng.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32))
    return values


PROGRAMS = {
    "linear": Workload("linear", 100, (1,), "line", "mse", "sgd", 0.01),
    "mlp": Workload("mlp", 64, (1, 28, 28), optimizer="sgd", lr=1e-2, sizes={"inputs": 784, "hidden": 512}, name="mlp"),
    "cnn": Workload("cnn", 256, (1, 28, 28)),
    "cifar": Workload("cifar", 64, (3, 32, 32)),
    "lenet": Workload("lenet", 32, (1, 32, 32), optimizer="momentum", lr=0.01),
}
"""The five programs of `examples/`."""


def networks(batches: Sequence[int] | None = None) -> list[Workload]:
    """Networks beyond the five programs.

    Args:
        batches: the batch sizes; by default each network's own.
    """
    found = []
    for batch in batches or (1, 8, 32):
        found.append(Workload("resnet18", batch, (3, 32, 32), optimizer="momentum", lr=0.01))
    for batch, sizes in _each(batches or (1, 8, 64), ({"width": 128, "layers": 2}, {"width": 256, "layers": 4})):
        found.append(Workload("transformer", batch, (64, sizes["width"]), sizes=sizes))
    for batch, sizes in _each(batches or (1, 32, 256), ({"inputs": 64, "hidden": 128},)):
        found.append(Workload("lstm", batch, (24, sizes["inputs"]), sizes=sizes))
    for batch in batches or (1, 32, 128, 512):
        found.append(Workload("autoencoder", batch, (784,), "inputs", "mse"))
    for batch, sizes in _each(
        batches or (1, 32, 128, 512), ({"inputs": 256, "hidden": 1024}, {"inputs": 1024, "hidden": 4096})
    ):
        found.append(Workload("mlp", batch, (sizes["inputs"],), optimizer="sgd", lr=1e-2, sizes=sizes))
    return found


def _each(batches: Sequence[int], sizes: Sequence[dict[str, int]]) -> list[tuple[int, dict[str, int]]]:
    return [(batch, size) for size in sizes for batch in batches]
