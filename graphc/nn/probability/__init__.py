"""`graphc.nn.probability`: distributions of random numbers, bijectors, which make others of them, Bayesian layers."""

from graphc.nn.probability import bijector, bnn_layers, distribution

__all__ = ["bijector", "bnn_layers", "distribution"]
