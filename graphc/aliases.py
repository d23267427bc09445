"""MindSpore's other module names, which programs import from: `graphc.common.dtype`, `graphc.ops.operations`.

    from graphc.common.initializer import Normal
    from graphc.ops import operations as P
    from graphc.nn.loss.loss import LossBase

Each is a module without names of its own. It gives those of its homes, which are loaded when they are first asked for.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

HOMES: dict[str, tuple[str, ...]] = {
    "common": ("",),
    "common.api": ("",),
    "common.dtype": ("dtype",),
    "common.initializer": ("initializer",),
    "common.parameter": ("tensor",),
    "common.seed": ("random",),
    "common.tensor": ("tensor",),
    "communication": ("parallel",),
    "communication.management": ("parallel",),
    "context": ("parallel",),
    "dataset.audio.transforms": ("dataset.audio",),
    "dataset.audio.utils": ("dataset.audio",),
    "dataset.dataloader._utils.collate": ("dataset.dataloader.collate",),
    "dataset.engine": ("dataset",),
    "dataset.engine.datasets": ("dataset",),
    "dataset.engine.samplers": ("dataset",),
    "dataset.transforms.c_transforms": ("dataset.transforms",),
    "dataset.transforms.py_transforms": ("dataset.transforms",),
    "dataset.transforms.transforms": ("dataset.transforms",),
    "dataset.vision.c_transforms": ("dataset.vision", "dataset.transforms"),
    "dataset.vision.py_transforms": ("dataset.vision", "dataset.transforms"),
    "dataset.vision.transforms": ("dataset.vision",),
    "dataset.vision.utils": ("dataset.vision",),
    "experimental.optim.adam": ("experimental.optim",),
    "experimental.optim.adamw": ("experimental.optim",),
    "experimental.optim.sgd": ("experimental.optim",),
    "mindrecord": ("dataset.mindrecord",),
    "nn.dynamic_lr": ("nn",),
    "nn.grad": ("nn",),
    "nn.grad.cell_grad": ("gradients",),
    "nn.layer": ("nn",),
    "nn.layer.activation": ("nn.activation",),
    "nn.layer.basic": ("nn.basic", "nn"),
    "nn.layer.container": ("nn.containers",),
    "nn.layer.conv": ("nn.conv",),
    "nn.layer.embedding": ("nn.embedding",),
    "nn.layer.image": ("nn.image",),
    "nn.layer.math": ("nn",),
    "nn.layer.normalization": ("nn.norm",),
    "nn.layer.padding": ("nn",),
    "nn.layer.pooling": ("nn.pooling",),
    "nn.layer.rnn_cells": ("nn.recurrent",),
    "nn.layer.rnns": ("nn.recurrent",),
    "nn.layer.transformer": ("nn.transformer",),
    "nn.learning_rate_schedule": ("nn.schedule",),
    "nn.loss.loss": ("nn.loss",),
    "nn.metrics": ("train.metrics",),
    "nn.optim.adadelta": ("nn.optim",),
    "nn.optim.adagrad": ("nn.optim",),
    "nn.optim.adam": ("nn.optim",),
    "nn.optim.lamb": ("nn.optim",),
    "nn.optim.momentum": ("nn.optim",),
    "nn.optim.optimizer": ("nn.optimizer",),
    "nn.optim.rmsprop": ("nn.optim",),
    "nn.optim.sgd": ("nn.optim",),
    "nn.wrap.cell_wrapper": ("nn.wrap",),
    "nn.wrap.grad_reducer": ("nn.wrap",),
    "nn.wrap.loss_scale": ("nn.wrap",),
    "ops.composite": ("ops",),
    "ops.composite.base": ("ops",),
    "ops.function": ("ops",),
    "ops.functional": ("ops",),
    "ops.operations": ("ops",),
    "ops.operations.array_ops": ("ops",),
    "ops.operations.math_ops": ("ops",),
    "ops.operations.nn_ops": ("ops",),
    "ops.primitive": ("ops",),
    "parallel._auto_parallel_context": ("parallel",),
    "parallel._utils": ("parallel",),
    "train.amp": ("amp",),
    "train.dataset_helper": ("train.sink",),
    "train.callback._callback": ("train.callback",),
    "train.loss_scale_manager": ("amp",),
    "train.summary.summary_record": ("train.summary",),
}
"""Name of a module -> the modules whose names it gives, both without the leading `graphc.`; earlier ones come first."""


class Alias(ModuleType):
    """A module that gives the names of other modules."""

    def __init__(self, name: str, homes: tuple[str, ...]) -> None:
        super().__init__(name, f"MindSpore's name for {' and '.join(homes)}.")
        self.__path__: list[str] = []  # it may have modules within, all of which are in `sys.modules`
        self._homes = homes

    def __getattr__(self, name: str) -> Any:
        return _find(self.__name__, self._homes, name)

    def __dir__(self) -> list[str]:
        return sorted({name for home in self._homes for name in dir(import_module(home))})


def _find(alias: str, homes: tuple[str, ...], name: str) -> Any:
    if name == "__all__":
        return sorted({n for home in homes for n in dir(import_module(home)) if not n.startswith("_")})
    if name.startswith("__"):  # as all modules are asked for `__file__` and the like
        raise AttributeError(f"module {alias!r} has no attribute {name!r}")
    *earlier, last = map(import_module, homes)
    return next((getattr(home, name) for home in earlier if hasattr(home, name)), None) or getattr(last, name)


def install(package: str) -> None:
    """Makes the modules of `HOMES` importable. One that is there already keeps its names and gives the homes' too."""
    for short, relative in HOMES.items():
        name = f"{package}.{short}"
        homes = tuple(f"{package}.{home}".rstrip(".") for home in relative)
        if name in sys.modules:
            sys.modules[name].__getattr__ = partial(_find, name, homes)  # type: ignore[method-assign]  # PEP 562
            continue
        alias = sys.modules[name] = Alias(name, homes)
        parent, _, child = name.rpartition(".")
        if parent in sys.modules and child not in vars(sys.modules[parent]):
            setattr(sys.modules[parent], child, alias)
