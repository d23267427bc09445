"""Layers, losses, optimizers and schedules: `graphc.nn`, by MindSpore's names and arguments.

The metrics of `graphc.train` are found here too, by their older names: `nn.Accuracy`, `nn.get_metric_fn`.
"""
# ruff: noqa: F403 (each module says in its `__all__` what users see)

import importlib
from typing import Any

from graphc.hints import no_init_parameters as no_init_parameters
from graphc.nn.activation import *
from graphc.nn.adafactor import *
from graphc.nn.basic import *
from graphc.nn.cell import *
from graphc.nn.combined import *
from graphc.nn.containers import *
from graphc.nn.conv import *
from graphc.nn.dense import *
from graphc.nn.dropout import *
from graphc.nn.embedding import *
from graphc.nn.exported import *
from graphc.nn.image import *
from graphc.nn.lars import *
from graphc.nn.loss import *
from graphc.nn.math import *
from graphc.nn.norm import *
from graphc.nn.optim import *
from graphc.nn.optimizer import *
from graphc.nn.padding import *
from graphc.nn.pooling import *
from graphc.nn.proximal import *
from graphc.nn.recurrent import *
from graphc.nn.resize import *
from graphc.nn.schedule import *
from graphc.nn.sparse import *
from graphc.nn.transformer import *
from graphc.nn.wrap import *

__all__ = sorted(name for name, value in vars().items() if getattr(value, "__module__", "").startswith("graphc."))

_OF_MINT = {"Linear": "Linear"} | {f"{layer}Ext": layer for layer in (
    "AvgPool1d", "AvgPool2d", "AvgPool3d", "Dropout", "Dropout2d", "Embedding", "L1Loss", "LayerNorm", "LogSoftmax",
    "MaxPool2d", "PReLU",
)}  # fmt: skip
"""Layers of `mint.nn` that MindSpore has here too, by their names here."""


def __getattr__(name: str) -> Any:
    if name == "probability":
        return importlib.import_module("graphc.nn.probability")
    if name in _OF_MINT:
        return getattr(importlib.import_module("graphc.mint.nn"), _OF_MINT[name])
    from graphc.train import metrics  # loaded after layers

    found = getattr(metrics, name, None)
    if isinstance(found, type) and issubclass(found, metrics.Metric):
        return found
    if name in ("auc", "get_metric_fn", "get_metrics", "names", "rearrange_inputs"):
        return found
    raise AttributeError(f"module 'graphc.nn' has no attribute {name!r}")
