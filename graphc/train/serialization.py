"""Checkpoints and exported networks by MindSpore's module name: `from graphc.train.serialization import load`."""

from graphc.export import export, load
from graphc.serialization import load_checkpoint, load_param_into_net, save_checkpoint

__all__ = ["export", "load", "load_checkpoint", "load_param_into_net", "save_checkpoint"]
