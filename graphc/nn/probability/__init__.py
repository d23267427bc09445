"""`graphc.nn.probability`: distributions of random numbers."""

from graphc.nn.probability import distribution

__all__ = ["distribution"]
