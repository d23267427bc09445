"""The operations: `graphc.ops`, by MindSpore's names and arguments."""

from graphc.ops import creation, elementwise, gather, reduce, scan, shape  # noqa: F401
