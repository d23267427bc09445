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
        target: "classes" (0 to `classes` - 1), "values" (normal numbers), "line" (y = 2x + 0.5), "inputs" (the sample
            itself) or "order" (0 to `batch` - 1, which sample it is).
        loss: its name in each framework's `LOSSES`.
        optimizer: its name in each framework's `OPTIMIZERS`.
        lr: the learning rate.
        sizes: arguments of the model.
        name: what tables call it; by default the model and its sizes.
        vocabulary: samples are integers below it; 0 for normal numbers.
        classes: how many there are.
        outputs: the shape of one sample's target, if it is "classes" or "values".
        dropout: whether the model has an argument of this name.
        decay: the weight decay.
        clip: the greatest norm of all gradients together; 0 for any.
    """

    model: str
    batch: int
    inputs: tuple[int, ...]
    target: str = "classes"
    loss: str = "cross_entropy"
    optimizer: str = "adam"
    lr: float = 1e-3
    sizes: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    vocabulary: int = 0
    classes: int = 10
    outputs: tuple[int, ...] = ()
    dropout: bool = False
    decay: float = 0.0
    clip: float = 0.0

    @property
    def label(self) -> str:
        """What tables call it."""
        sizes = " ".join(f"{name}={size}" for name, size in self.sizes.items())
        return f"{self.name or ' '.join(filter(None, (self.model, sizes)))} batch {self.batch}"

    def batches(self, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Inputs [batch, *inputs], float32 or int32, and labels: int32 classes, or float32 values."""
        rng = np.random.default_rng(1)
        made = []
        for _ in range(count):
            shape = (self.batch, *self.inputs)
            if self.vocabulary:
                x = rng.integers(0, self.vocabulary, shape).astype(np.int32)
            else:
                x = rng.standard_normal(shape).astype(np.float32)
            made.append((x, self._labels(x, rng)))
        return made

    def _labels(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        shape = (self.batch, *self.outputs)
        if self.target == "classes":
            return rng.integers(0, self.classes, shape).astype(np.int32)
        if self.target == "values":
            return rng.standard_normal(shape).astype(np.float32)
        if self.target == "order":
            return np.arange(self.batch, dtype=np.int32)
        return (2 * x + 0.5).astype(np.float32) if self.target == "line" else x.copy()

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return asdict(self)

    @staticmethod
    def from_json(fields: dict[str, Any]) -> Workload:
        """The workload that was written by `to_json`."""
        return Workload(**{**fields, "inputs": tuple(fields["inputs"]), "outputs": tuple(fields["outputs"])})


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
    "cnn": Workload("cnn", 256, (1, 28, 28), dropout=True),
    "cifar": Workload("cifar", 64, (3, 32, 32)),
    "lenet": Workload("lenet", 32, (1, 32, 32), optimizer="momentum", lr=0.01),
}
"""The five programs of `examples/`."""


def networks(batches: Sequence[int] | None = None) -> list[Workload]:
    """Networks beyond the five programs, many of them small and of their kinds, as people train them.

    Args:
        batches: the batch sizes; by default each network's own.
    """
    found: list[Workload] = []

    def add(name: str, own: Sequence[int], inputs: tuple[int, ...], model: str = "", **fields: Any) -> None:
        for batch in batches or own:
            found.append(Workload(model or name, batch, inputs, name=name, **fields))

    image, digit = (3, 32, 32), (1, 28, 28)
    momentum: dict[str, Any] = {"optimizer": "momentum", "lr": 0.01}
    add("resnet18", (1, 8, 32), image, **momentum)
    for width, layers in ((128, 2), (256, 4)):
        sizes: dict[str, Any] = {"width": width, "layers": layers}
        add(f"transformer-{width}x{layers}", (1, 8, 64), (64, width), "transformer", sizes=sizes)
    add("lstm", (1, 32, 256), (24, 64), "recurrent", sizes={"kind": "lstm", "inputs": 64, "hidden": 128})
    add("autoencoder", (1, 32, 128, 512), (784,), target="inputs", loss="mse")
    for inputs, hidden in ((256, 1024), (1024, 4096)):
        sizes = {"inputs": inputs, "hidden": hidden}
        add(f"mlp-{hidden}", (1, 32, 128, 512), (inputs,), "mlp", optimizer="sgd", lr=1e-2, sizes=sizes)

    for kind in ("rnn", "gru"):
        add(kind, (1, 32, 128), (32, 64), "recurrent", sizes={"kind": kind, "inputs": 64, "hidden": 128})
    sizes = {"kind": "lstm", "inputs": 48, "hidden": 96}
    add("lstm-2-layers", (1, 32, 100), (20, 48), "recurrent", sizes={**sizes, "layers": 2}, clip=1.0)
    add("lstm-bidirectional", (1, 32, 100), (20, 48), "recurrent", sizes={**sizes, "bidirectional": True})
    for act in ("relu6", "hardswish"):
        add(f"mobilenet-{act}", (1, 32, 128), image, "mobilenet", sizes={"act": act}, decay=1e-4, **momentum)
    add("vgg", (1, 10, 64), image, sizes={"width": 32}, dropout=True, decay=5e-4, **momentum)
    for up in ("transposed", "nearest", "bilinear"):
        sizes = {"width": 16, "up": up}
        add(f"unet-{up}", (1, 10, 32), image, "unet", sizes=sizes, outputs=(32, 32))
    add("densenet", (1, 32, 64), image, sizes={"growth": 12, "depth": 4}, **momentum)
    add("vae", (1, 32, 128), digit, target="inputs", loss="vae", sizes={"latent": 20})
    for width in (16, 32):
        fields: dict[str, Any] = {"sizes": {"width": width}, "target": "values", "outputs": image, "loss": "mse"}
        add(f"generator-{width}", (2, 16, 64), (64,), "generator", **fields)
    add("textcnn", (1, 50, 128), (64,), vocabulary=5000, sizes={"vocabulary": 5000, "width": 64}, dropout=True)
    for tied in (False, True):
        sizes = {"vocabulary": 96, "length": 64, "width": 128, "layers": 2, "tied": tied}
        fields = {"vocabulary": 96, "classes": 96, "outputs": (64,), "loss": "tokens", "sizes": sizes}
        fields |= {"optimizer": "adamw", "decay": 0.01, "clip": 1.0}
        add("gpt-tied" if tied else "gpt", (1, 12, 32), (64,), "gpt", **fields)
    add("vit", (1, 10, 32), image, sizes={"width": 96, "layers": 2}, optimizer="adamw", decay=0.05)
    add("mixer", (1, 10, 32), image, sizes={"width": 96, "layers": 3})
    for act in ("leaky", "elu", "silu"):
        sizes = {"act": act, "width": 256}
        add(f"mlp-norm-{act}", (2, 32, 100, 128), digit, "mlp_norm", sizes=sizes, dropout=True)
    add("odd_cnn", (1, 10, 16, 50, 100), image)
    sizes = {"fields": 8, "rows": 50_000, "width": 16}
    for optimizer, lr in (("sgd", 0.01), ("adam", 1e-3)):
        fields = {"vocabulary": 50_000, "sizes": sizes, "optimizer": optimizer, "lr": lr}
        add(f"recommender-{optimizer}", (1, 32, 256), (8,), "recommender", **fields)
    add("bag", (1, 32, 256), (40,), vocabulary=30_000, sizes={"rows": 30_000, "width": 64})
    sizes = {"inputs": 128, "width": 256}
    add("siamese", (2, 32, 100), (2, 128), target="order", sizes=sizes)
    add("senet", (1, 10, 64), image, sizes={"width": 16}, **momentum)
    for norm in ("group", "instance"):
        add(f"{norm}-norm", (1, 10, 64), image, "normed", sizes={"norm": norm, "width": 16})
    add("tcn", (1, 10, 64), (8, 100), sizes={"channels": 8, "width": 25})
    add("bottleneck", (1, 8, 32), (3, 112, 112), sizes={"depth": 1}, decay=1e-4, **momentum)
    add("efficientnet", (1, 8, 32), (3, 96, 96), optimizer="rmsprop")
    add("convnext", (1, 8, 32), (3, 64, 64), sizes={"width": 48, "depth": 2}, optimizer="adamw", decay=0.05)
    for optimizer, fields in (
        ("rmsprop", {"lr": 1e-3}), ("adamw", {"decay": 0.01, "clip": 1.0}), ("sgd", {"lr": 0.01, "clip": 1.0}),
        ("momentum", {"lr": 0.01, "decay": 1e-4, "clip": 0.1}),
    ):  # fmt: skip
        add(f"lenet-{optimizer}", (1, 32, 100), (1, 32, 32), "lenet", optimizer=optimizer, **fields)
    return found
