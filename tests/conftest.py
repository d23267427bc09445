"""What all tests share: settings that are put back, a cache of their own, and which slow tests run.

`--slow=none|ci|all`: of the tests marked `slow` none, those marked `slow(ci=True)` (the default), or all.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from modes import mode

import graphc
from graphc.runtime import pool

os.environ.setdefault("GRAPHC_CACHE_DIR", str(Path(__file__).resolve().parent.parent / "build" / "test-cache"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells start what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("graphc", deadline=None)  # what an example takes depends on what is cached
hypothesis.settings.load_profile("graphc")


pool.LOSS_NS = 1 << 62  # small kernels, too, are shared by threads however long it takes


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", choices=("none", "ci", "all"), default="ci", help="which slow tests run (default: ci)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--slow")
    left_out = [item for item in items if not _runs(item, wanted)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        dropped = set(left_out)
        items[:] = [item for item in items if item not in dropped]


def _runs(item: pytest.Item, wanted: str) -> bool:
    marks = list(item.iter_markers("slow"))
    if not marks or wanted == "all":
        return True
    return wanted == "ci" and any(mark.kwargs.get("ci") for mark in marks)


@pytest.fixture(scope="module")
def free_copies() -> Iterator[None]:
    """Batches go into the lanes of vectors however little is computed, as they do in networks of some size."""
    from graphc.passes import batch

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batch, "COPIED", 0)
        yield


@pytest.fixture(params=["eager", "graph"])
def each_mode(request: pytest.FixtureRequest) -> Iterator[int]:
    """The test runs in PYNATIVE_MODE, and in GRAPH_MODE."""
    with mode(graphc.GRAPH_MODE if request.param == "graph" else graphc.PYNATIVE_MODE) as value:
        yield value


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """Puts the process's settings back after each test."""
    from graphc import context

    names = ("jit_syntax_level", "mode", "save_graphs", "save_graphs_path", "pynative_synchronize")
    before = {name: context.get_context(name) for name in names}
    threads = context.get_context("runtime_num_threads") if "graphc.runtime.pool" in sys.modules else None
    yield
    changed = {name: value for name, value in before.items() if context.get_context(name) != value}
    if threads is not None and context.get_context("runtime_num_threads") != threads:
        changed["runtime_num_threads"] = threads
    if changed:
        context.set_context(**changed)
