"""What accompanies training."""

from graphc.vision.engine.callback import LossMonitor

__all__ = ["LossMonitor"]
