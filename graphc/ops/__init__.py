"""The operations: `graphc.ops`, by MindSpore's names and arguments."""

from graphc.ops import creation, elementwise, functions, gather, indexing, reduce, scan, shape  # noqa: F401
