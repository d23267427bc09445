"""Checkpoints under MindSpore's module name: `from graphc.train.serialization import load_checkpoint`."""

from graphc.serialization import load_checkpoint, load_param_into_net, save_checkpoint

__all__ = ["load_checkpoint", "load_param_into_net", "save_checkpoint"]
