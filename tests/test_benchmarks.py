"""The benchmarks run, and their counters count."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks' modules can be imported."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run(tmp_path: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    """What a benchmark prints, and the figures it writes."""
    figures = tmp_path / "figures.json"
    command = [sys.executable, str(BENCHMARKS), *arguments, "--json", str(figures)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(figures.read_text())


def test_programs_without_peers(tmp_path: Path) -> None:
    printed, figures = run(tmp_path, "programs", "--peers", "none", "--programs", "linear", "--rounds", "3")
    assert "linear batch 100" in printed and "agree to 1e-3" in printed
    steps = figures["steps"]["linear batch 100"]
    assert set(steps) == {"graphc graph", "graphc eager"}
    assert 0 < steps["graphc graph"]["ms"] < steps["graphc eager"]["ms"]
    assert len(steps["graphc graph"]["samples_ms"]) == 3
    first = figures["first_step"]["linear batch 100"]["graphc graph"]
    assert 0 < first["warm"] < first["cold"] and first["peak"] > 1e6


def test_networks_without_peers(tmp_path: Path) -> None:
    arguments = ("--peers", "none", "--networks", "autoencoder", "--batches", "1", "--rounds", "2", "--no-eager")
    _, figures = run(tmp_path, "networks", *arguments)
    assert set(figures["steps"]["autoencoder batch 1"]) == {"graphc graph"}


def test_kernels_without_peers(tmp_path: Path) -> None:
    arguments = ("--peers", "none", "--families", "matmul,reduction", "--only", "64 x 512", "--rounds", "2")
    printed, figures = run(tmp_path, "kernels", *arguments)
    assert "GFLOP/s" in printed and figures["limits"]["flops"] > 1e9
    assert {"read", "write", "copy", "triad"} == set(figures["limits"]["bytes_per_second"])
    assert any(name.startswith("reduction: sum of rows") for name in figures["kernels"])


def test_compile_time(tmp_path: Path) -> None:
    printed, figures = run(tmp_path, "compile_time", "--cases", "lenet", "--rounds", "1")
    assert "Stages of a cold compile" in printed
    found = {name: times[0] for name, times in figures["seconds"]["lenet"].items()}
    assert 0 < found["step"] < found["warm"] < found["cold"] and found["other batch"] > found["step"]
    stages = figures["stages"]["lenet"]
    assert {"trace", "layout", "schedule", "memory", "kernels", "llvm", "LLVM", "link"} < set(stages)
    assert stages["nodes"] > 200 and 10 < stages["kernels compiled"] < 100


def test_peers_must_be_known() -> None:
    command = [sys.executable, str(BENCHMARKS / "programs.py"), "--peers", "theano"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "got theano" in done.stderr


@pytest.mark.usefixtures("modules")
def test_disagreements_are_found() -> None:
    from harness import disagreements

    assert disagreements({"a": [2.3, 2.2], "b": [2.3001, 2.2], "c": [2.3, 2.2]}) == {}
    assert set(disagreements({"a": [2.3, 2.2], "b": [2.3, 2.3], "c": [2.3, 2.2]})) == {"b"}
    assert set(disagreements({"a": [2.3], "b": [float("nan")], "c": [2.3]})) == {"b"}


@pytest.mark.usefixtures("modules")
def test_figures_say_when_they_are_noise() -> None:
    from harness import Figure

    quiet, noisy = Figure([1.0, 1.01, 1.02, 1.01, 1.0]), Figure([1.0, 1.5, 2.0, 1.0, 3.0])
    assert not quiet.is_noisy and noisy.is_noisy
    assert quiet.milliseconds == 1010.0


@pytest.mark.usefixtures("modules")
def test_numpy_allocations_are_counted() -> None:
    from overhead import numpy_allocations

    with numpy_allocations() as counted:
        x = np.empty(1000, np.float32)
        _ = np.negative(x)
        _ = x[::2]  # a view
    assert (counted.count, counted.nbytes) == (2, 8000)
    np.empty(1000)
    assert counted.count == 2


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize("layers", [2, 200])
def test_a_step_in_graph_mode_allocates_nothing_in_numpy(layers: int) -> None:
    from overhead import DeepMLP, make_step, numpy_allocations

    import graphc as ms

    ms.set_context(mode=ms.GRAPH_MODE)
    step, batch = make_step(lambda: DeepMLP(layers), (8, 16))
    step(*batch)
    with numpy_allocations() as counted:
        for _ in range(10):
            step(*batch)
    assert counted.count == 0
