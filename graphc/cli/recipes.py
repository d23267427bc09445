"""The networks that commands know by name, each with the recipe it is trained by; and networks in users' files.

    recipe = find("lenet")                  # or find("nets/wide.py:Wide")
    step, batch = recipe.step(), recipe.example_batch()
    loss = step(*batch)                     # forward, loss, gradients, update
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.cli.errors import UsageError

if TYPE_CHECKING:
    from graphc.nn import Cell
    from graphc.tensor import Tensor


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        network: makes it.
        loss: makes its loss.
        optimizer: makes its optimizer from its Parameters and a learning rate.
        sample: the shape of one input, `[C, H, W]` of images.
        lr, batch_size, epochs: used where the user names no other.
        classes: whether labels are classes; otherwise they are numbers, `[N, 1]`.
    """

    name: str
    network: Callable[[], Cell]
    loss: Callable[[], Cell]
    optimizer: Callable[[Any, float], Cell]
    sample: tuple[int, ...]
    lr: float
    batch_size: int
    epochs: int
    classes: bool = True

    def changed(
        self, batch_size: int | None = None, input: tuple[int, ...] | None = None, lr: float | None = None
    ) -> Recipe:
        """The recipe with what the user said in place of its own."""
        return replace(
            self, batch_size=batch_size or self.batch_size, sample=input or self.sample, lr=lr or self.lr
        )

    def step(self, network: Cell | None = None) -> Cell:
        """The Cell that makes one training step of (inputs, labels) and returns the loss."""
        from graphc import nn

        network = network or self.network()
        optimizer = self.optimizer(network.trainable_params(), self.lr)
        return nn.TrainOneStepCell(nn.WithLossCell(network, self.loss()), optimizer).set_train()

    def example_batch(self, network: Cell | None = None) -> tuple[Tensor, Tensor]:
        """Inputs of normally distributed numbers, and labels that fit them; always the same ones.

        Args:
            network: is run once, for the number of classes; without it every label is class 0.
        """
        from graphc.tensor import Tensor

        draw = np.random.default_rng(0)
        inputs = Tensor(draw.standard_normal((self.batch_size, *self.sample)).astype(np.float32))
        if not self.classes:
            return inputs, Tensor(draw.standard_normal((self.batch_size, 1)).astype(np.float32))
        classes = network(inputs).shape[1] if network is not None else 1
        return inputs, Tensor((np.arange(self.batch_size) % classes).astype(np.int32))


def _linear() -> Recipe:
    from graphc import nn

    return Recipe("linear", lambda: nn.Dense(1, 1), nn.MSELoss, nn.SGD, (1,), 0.01, 1, 10, classes=False)


def _mlp() -> Recipe:
    from graphc import models, nn

    return Recipe("mlp", models.MLP, nn.CrossEntropyLoss, nn.SGD, (1, 28, 28), 1e-2, 64, 3)


def _cnn() -> Recipe:
    from graphc import models, nn

    return Recipe("cnn", models.CNN, nn.CrossEntropyLoss, nn.Adam, (1, 28, 28), 1e-3, 256, 5)


def _cifar() -> Recipe:
    from graphc import models, nn

    return Recipe("cifar", models.SimpleCNN, nn.CrossEntropyLoss, nn.Adam, (3, 32, 32), 1e-3, 64, 5)


def _lenet() -> Recipe:
    from graphc import nn
    from graphc.vision import LeNet5

    return Recipe(
        "lenet", LeNet5, lambda: nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean"),
        lambda parameters, lr: nn.Momentum(parameters, lr, 0.9), (1, 32, 32), 0.01, 32, 10,
    )  # fmt: skip


RECIPES: dict[str, Callable[[], Recipe]] = {
    "linear": _linear, "mlp": _mlp, "cnn": _cnn, "cifar": _cifar, "lenet": _lenet,
}  # fmt: skip


def find(model: str) -> Recipe:
    """The recipe of a name in `RECIPES`, or for `FILE.py:NAME` that of a classifier of 28 x 28 images, by Adam.

    Raises:
        UsageError: there is no such model.
    """
    if model in RECIPES:
        return RECIPES[model]()
    path, colon, name = model.rpartition(":")
    if not colon or not path.endswith(".py"):
        raise UsageError(f"expected {', '.join(RECIPES)} or FILE.py:NAME as MODEL, got {model!r}")
    from graphc import nn

    make = _defined(Path(path), name)
    return Recipe(name, lambda: _made(make, model), nn.CrossEntropyLoss, nn.Adam, (1, 28, 28), 1e-3, 32, 5)


def _defined(path: Path, name: str) -> Callable[[], Any]:
    """What the file calls `name`."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"graphc_user_{path.stem}", path.resolve())
    assert spec is not None and spec.loader is not None  # a file that ends in .py has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.resolve().parent))  # what lies beside it can be imported
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    found: Callable[[], Any] | None = getattr(module, name, None)
    if not callable(found):
        raise UsageError(f"{path} defines no class or function {name!r}")
    return found


def _made(make: Callable[[], Any], model: str) -> Cell:
    from graphc.nn import Cell

    try:
        cell = make()
    except TypeError as error:
        raise UsageError(f"{model} cannot be made without arguments: {error}") from error
    if not isinstance(cell, Cell):
        raise UsageError(f"{model}: expected a Cell, got {type(cell).__name__}")
    return cell
