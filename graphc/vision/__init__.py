"""What programs take from MindVision, by its module names: `graphc.vision.classification.models.lenet`, ...

A program that imports from `mindvision` runs with `graphc.vision` in its place.
"""

from graphc.vision.classification.dataset import Mnist
from graphc.vision.classification.models import LeNet5, lenet
from graphc.vision.engine.callback import LossMonitor

__all__ = ["LeNet5", "LossMonitor", "Mnist", "lenet"]
