"""Distributions as Cells: densities, moments, random numbers, divergences.

    policy = Normal(0.0, 1.0)
    action = policy.sample((3,))
    loss = -policy.log_prob(action, mean, sd).mean()

The parameters are given when a distribution is made, or with each call, after its own arguments.
"""

from graphc.nn.probability.distribution.base import Distribution
from graphc.nn.probability.distribution.continuous import (
    Beta,
    Cauchy,
    Exponential,
    Gamma,
    Gumbel,
    HalfNormal,
    Laplace,
    Logistic,
    LogNormal,
    Normal,
    StudentT,
    Uniform,
)
from graphc.nn.probability.distribution.discrete import Bernoulli, Categorical, Geometric, Poisson
from graphc.nn.probability.distribution.transformed import TransformedDistribution

__all__ = [
    "Bernoulli", "Beta", "Categorical", "Cauchy", "Distribution", "Exponential", "Gamma", "Geometric", "Gumbel",
    "HalfNormal", "Laplace", "LogNormal", "Logistic", "Normal", "Poisson", "StudentT", "TransformedDistribution",
    "Uniform",
]  # fmt: skip
