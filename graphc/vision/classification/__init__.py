"""Image classification: datasets and models."""

from graphc.vision.classification.dataset import Mnist
from graphc.vision.classification.models import LeNet5, lenet

__all__ = ["LeNet5", "Mnist", "lenet"]
