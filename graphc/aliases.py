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
    "_checkparam": ("checks",),
    "boost.grad_accumulation": ("boost",),
    "common": ("",),
    "common.api": ("",),
    "common.dtype": ("dtype",),
    "common.initializer": ("initializer",),
    "common.parameter": ("parameter", "tensor"),
    "common.seed": ("random",),
    "common.sparse_tensor": ("ops.sparse_tensors", ""),
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
    "device_context": ("devices",),
    "hal": ("devices",),
    "mindrecord": ("dataset.mindrecord",),
    "nn.dynamic_lr": ("nn",),
    "nn.grad": ("nn",),
    "nn.grad.cell_grad": ("gradients",),
    "nn.layer": ("nn.math", "nn"),
    "nn.layer.activation": ("nn.activation",),
    "nn.layer.basic": ("nn.basic", "nn"),
    "nn.layer.container": ("nn.containers",),
    "nn.layer.conv": ("nn.conv",),
    "nn.layer.embedding": ("nn.embedding",),
    "nn.layer.image": ("nn.image",),
    "nn.layer.math": ("nn.math", "nn"),
    "nn.layer.normalization": ("nn.norm",),
    "nn.layer.padding": ("nn",),
    "nn.layer.pooling": ("nn.pooling",),
    "nn.layer.rnn_cells": ("nn.recurrent",),
    "nn.layer.rnns": ("nn.recurrent",),
    "nn.layer.transformer": ("nn.transformer",),
    "nn.learning_rate_schedule": ("nn.schedule",),
    "nn.loss": ("nn",),
    "nn.loss.loss": ("nn.loss",),
    "nn.metrics": ("train.metrics",),
    "nn.optim": ("nn",),
    "nn.optim.adadelta": ("nn.optim",),
    "nn.optim.adagrad": ("nn.optim",),
    "nn.optim.adam": ("nn.optim",),
    "nn.optim.lamb": ("nn.optim",),
    "nn.optim.momentum": ("nn.optim",),
    "nn.optim.optimizer": ("nn.optimizer",),
    "nn.optim.rmsprop": ("nn.optim",),
    "nn.optim.sgd": ("nn.optim",),
    "nn.utils": ("nn",),
    "nn.wrap": ("nn",),
    "nn.wrap.cell_wrapper": ("nn.wrap",),
    "nn.wrap.grad_reducer": ("nn.wrap",),
    "nn.wrap.loss_scale": ("nn.wrap",),
    "mint.distributed": ("parallel",),
    "mint.functional": ("mint.nn.functional",),
    "mint.nn.layer": ("mint.nn",),
    "ops._primitive_cache": ("ops.primitive_classes",),
    "ops.composite": ("ops",),
    "ops.composite.base": ("ops",),
    "ops.function": ("ops",),
    "ops.function.nn_func": ("ops", "mint.nn.functional"),
    "ops.functional": ("ops",),
    "ops.operations": ("ops",),
    "ops.operations.array_ops": ("ops",),
    "ops.operations.math_ops": ("ops",),
    "ops.operations.nn_ops": ("ops",),
    "ops.primitive": ("ops.control", "ops"),
    "parallel._auto_parallel_context": ("parallel",),
    "parallel._utils": ("parallel",),
    "profiler": ("profile",),
    "train._utils": ("checks",),
    "train.amp": ("amp",),
    "train.dataset_helper": ("train.sink",),
    "train.callback._callback": ("train.callbacks", "train.callback"),
    "train.loss_scale_manager": ("amp",),
    "train.data_sink": ("train.sink",),
    "train.summary.summary_record": ("train.summary",),
    "utils": ("ops.storage",),
    "utils.dlpack": ("ops.storage",),
    "version": ("",),
}
"""Name of a module -> the modules whose names it gives, both without the leading `graphc.`; earlier ones come first."""

_PARTS: dict[str, tuple[str, str]] = {
    "common": ("generator hook_handle jit_config lazy_inline mutable no_inline recompute", ""),
    "dataset.core": ("config", "dataset.config"),
    "dataset.engine": (
        "datasets_audio datasets_standard_format datasets_text datasets_user_defined datasets_vision iterators",
        "dataset",
    ),
    "dataset.text": ("transforms utils", "dataset.text"),
    "experimental.optim": ("adadelta adagrad adamax asgd nadam radam rmsprop rprop", "experimental.optim"),
    "mindrecord": ("filereader filewriter", "dataset.mindrecord"),
    "mint.nn.layer": ("activation basic conv normalization padding pooling", "mint.nn"),
    "mint.optim": ("adam adamw sgd", "mint.optim"),
    "nn.layer": ("channel_shuffle combined timedistributed", "nn"),
    "nn.optim": ("ada_grad adafactor adamax asgd ftrl lars lazyadam proximal_ada_grad rprop", "nn"),
    "nn.probability.bijector": (
        "bijector exp gumbel_cdf invert power_transform scalar_affine softplus", "nn.probability.bijector"
    ),
    "nn.probability.bnn_layers": (
        "bnn_cell_wrapper conv_variational dense_variational layer_distribution", "nn.probability.bnn_layers"
    ),
    "nn.probability.distribution": (
        "bernoulli beta categorical cauchy distribution exponential gamma geometric gumbel half_normal laplace "
        "log_normal logistic normal poisson student_t transformed_distribution uniform", "nn.probability.distribution"
    ),
    "nn.sparse": ("sparse", "nn.sparse"),
    "numpy": ("array_creations array_ops logic_ops math_ops", "numpy"),
    "ops": ("auto_generate functional_overload", "ops"),
    "ops.composite": ("math_ops", "ops"),
    "ops.function": (
        "array_func clip_func debug_func grad image_func linalg_func math_func other_func parameter_func "
        "random_func sparse_func vmap_func", "ops"
    ),
    "ops.function.grad": ("grad_func", "gradients"),
    "ops.operations": ("control_ops custom_ops debug_ops image_ops linalg_ops other_ops random_ops sparse_ops", "ops"),
    "train.metrics": (
        "accuracy auc bleu_score confusion_matrix cosine_similarity dice error fbeta hausdorff_distance "
        "mean_surface_distance occlusion_sensitivity perplexity precision recall roc topk", "train.metrics"
    ),
}  # fmt: skip
"""Name of a module -> the modules within it that have no names but those of one home, and this home."""

HOMES |= {f"{name}.{part}": (home,) for name, (parts, home) in _PARTS.items() for part in parts.split()}


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
    if name.startswith("__") and name != "__version__":  # as all modules are asked for `__file__` and the like
        raise AttributeError(f"module {alias!r} has no attribute {name!r}")
    *earlier, last = map(import_module, homes)
    return next((getattr(home, name) for home in earlier if hasattr(home, name)), None) or getattr(last, name)


def attach(package: str) -> None:
    """Makes the aliases within a package attributes: called at the end of one that is loaded when first asked for."""
    for name, alias in list(sys.modules.items()):
        if isinstance(alias, Alias) and name.startswith(f"{package}."):
            _attach(name, alias)


def _attach(name: str, alias: Alias) -> None:
    """Makes an alias an attribute of what it is in, if that is loaded and has none of this name."""
    parent, _, child = name.rpartition(".")
    for holder in (sys.modules.get(parent), _attribute(parent)):
        if holder is not None:
            vars(holder).setdefault(child, alias)


def install(package: str) -> None:
    """Makes the modules of `HOMES` importable. One that is there already keeps its names and gives the homes' too."""
    for short, relative in HOMES.items():
        name = f"{package}.{short}"
        homes = tuple(f"{package}.{home}".rstrip(".") for home in relative)
        if name in sys.modules:
            sys.modules[name].__getattr__ = partial(_find, name, homes)  # type: ignore[method-assign]  # PEP 562
            continue
        alias = sys.modules[name] = Alias(name, homes)
        _attach(name, alias)


def _attribute(name: str) -> Any:
    """What the attributes of the package come to, if they are there: `ops.operations` is no module of its own."""
    package, *rest = name.split(".")
    found: Any = sys.modules[package]
    for part in rest:
        found = vars(found).get(part) if found is not None else None
    return found
