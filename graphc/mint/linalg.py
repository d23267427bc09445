"""`graphc.mint.linalg`: linear algebra."""

from graphc.ops import inverse as inv
from graphc.ops import matrix_norm, norm, vector_norm

__all__ = ["inv", "matrix_norm", "norm", "vector_norm"]
