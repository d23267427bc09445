"""`graphc doctor`: versions, processor, threads, cache; and whether a kernel compiles and computes what it should."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import graphc
from graphc import ops
from graphc.context import get_context
from graphc.jit import jit
from graphc.tensor import Tensor

PACKAGES = ("numpy", "llvmlite", "networkx", "ml_dtypes", "safetensors", "rich", "pillow")


def arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(args: argparse.Namespace) -> int:
    ok, check = _self_check()
    for section in (_versions(), _machine(), _cache(), iter([("check", check)])):
        for name, value in section:
            print(f"{name:12} {value}")
    return 0 if ok else 1


def _versions() -> Iterator[tuple[str, str]]:
    import llvmlite.binding as llvm

    yield "graphc", f"{graphc.__version__} in {os.path.dirname(graphc.__file__)}"
    yield "python", f"{platform.python_version()} on {platform.platform()}"
    for package in PACKAGES:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            version = "not installed" + (" (needed to decode images)" if package == "pillow" else "")
        if package == "llvmlite":
            version += f" (LLVM {'.'.join(map(str, llvm.llvm_version_info))})"
        yield package, version


def _machine() -> Iterator[tuple[str, str]]:
    from graphc.runtime.target import host

    target = host()
    yield "processor", f"{target.cpu} ({target.arch})"
    yield "vectors", f"{target.lanes} lanes of float32, {target.registers} registers"
    yield "caches", ", ".join(
        f"{level} {size >> 10:,} KiB" for level, size in (("L1", target.l1d), ("L2", target.l2), ("L3", target.l3))
    )
    yield "threads", f"{get_context('runtime_num_threads')} of {target.cores} cores this process may use"
    for name in sorted(key for key in os.environ if key.startswith("GRAPHC_")):
        yield name, os.environ[name]


def _cache() -> Iterator[tuple[str, str]]:
    from graphc.runtime import cache

    folder, found = cache.directory(), cache.stats()
    yield "cache", str(folder) if folder else "none: no home folder is known"
    yield "", f"{found.entries:,} entries, {found.bytes / 2**20:.1f} of at most {cache.LIMIT_BYTES >> 20} MiB"
    if folder and not _can_write(folder):
        yield "", "cannot be written to: what is compiled is not kept for later processes"
    yield "", f"{found.hits} hits, {found.misses} misses in this check"


def _can_write(folder: Path) -> bool:
    """Whether files can be made there, now that the check has compiled something and would have made the folder."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _self_check() -> tuple[bool, str]:
    """Runs a small graph in both modes."""
    x = Tensor(np.linspace(-2, 2, 1000, dtype=np.float32))

    def function(x: Tensor) -> Tensor:
        total: Tensor = ops.sum(ops.exp(x) * x)
        return total

    began = time.perf_counter()
    compiled = jit(function)(x).asnumpy()
    seconds = time.perf_counter() - began
    eager = function(x).asnumpy()
    expected = float((np.exp(x.asnumpy().astype(np.float64)) * x.asnumpy()).sum())
    ok = bool(compiled == eager) and abs(float(compiled) - expected) <= 1e-5 * abs(expected)
    if not ok:
        return False, f"FAILED: graph mode gives {compiled}, eager mode {eager}, expected {expected}"
    return True, f"a graph compiled and ran in {seconds * 1e3:.0f} ms, same bits in both modes"
