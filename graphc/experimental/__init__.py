"""What MindSpore has under `mindspore.experimental`: optimizers with PyTorch's arguments and update rules."""

from graphc.experimental import optim

__all__ = ["optim"]
