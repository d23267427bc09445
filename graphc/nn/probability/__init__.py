"""`graphc.nn.probability`: distributions of random numbers, and bijectors, which make others of them."""

from graphc.nn.probability import bijector, distribution

__all__ = ["bijector", "distribution"]
