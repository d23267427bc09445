"""The native layer: target description, LLVM code generation, object cache, worker pool, execution.

The only package that knows llvmlite, which is imported when code is first generated and not before.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """What MindSpore's programs ask of the module that has this name there."""
    from graphc import devices

    if name in devices.__all__:
        return getattr(devices, name)
    raise AttributeError(f"module 'graphc.runtime' has no attribute {name!r}")
