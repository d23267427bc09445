"""`graphc.mint.optim`: optimizers under PyTorch's names, those of `graphc.experimental.optim`."""

from graphc.experimental.optim import SGD, Adam, AdamW

__all__ = ["SGD", "Adam", "AdamW"]
