"""Optimizers with `param_groups`, and `lr_scheduler`, which sets their learning rates from outside the graph."""

from graphc.experimental.optim import lr_scheduler
from graphc.experimental.optim.adaptive import ASGD, Adadelta, Adamax, NAdam, RAdam, Rprop
from graphc.experimental.optim.optimizer import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

__all__ = [
    "ASGD", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "Optimizer", "RAdam", "RMSprop", "Rprop",
    "lr_scheduler",
]  # fmt: skip
