"""The benchmarks run, and their counters count."""

from __future__ import annotations

import ast
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


def test_a_benchmark_that_is_not_there() -> None:
    done = subprocess.run([sys.executable, str(BENCHMARKS), "worker"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "there is no benchmark 'worker': expected one of programs, " in done.stderr


def test_programs_without_peers(tmp_path: Path) -> None:
    printed, figures = run(tmp_path, "programs", "--peers", "none", "--programs", "linear", "--rounds", "3")
    assert "linear batch 100" in printed and "agree to 1e-3" in printed
    steps = figures["steps"]["linear batch 100"]
    assert set(steps) == {"graphc graph", "graphc eager"}
    assert 0 < steps["graphc graph"]["ms"] < steps["graphc eager"]["ms"]
    assert len(steps["graphc graph"]["samples_ms"]) == 3
    first = figures["first_step"]["linear batch 100"]["graphc graph"]
    assert 0 < first["warm"] < 2 * first["cold"] and first["peak"] > 1e6  # times on the wall, of a shared machine


def test_networks_without_peers(tmp_path: Path) -> None:
    arguments = ("--peers", "none", "--networks", "autoencoder", "--batches", "1", "--rounds", "2", "--no-eager")
    _, figures = run(tmp_path, "networks", *arguments)
    assert set(figures["steps"]["autoencoder batch 1"]) == {"graphc graph"}


@pytest.mark.usefixtures("modules")
def test_who_lacks_a_model_sits_it_out_without_a_word() -> None:
    from harness import Workers, contenders
    from workloads import Workload

    pythons, reports = {"graphc": sys.executable}, list[str]()
    with Workers(contenders(pythons)[:1], pythons, report=reports.append) as workers:
        assert workers.open(Workload("perpetuum", 1, (1,))) == {} and workers.losses() == {}
        assert set(workers.open(Workload("linear", 1, (1,), "line", "mse"))) == {"graphc graph"}
    assert reports == []


def test_every_framework_has_every_network() -> None:
    def names(framework: str) -> list[str]:
        module = ast.parse((BENCHMARKS / "frameworks" / f"{framework}_networks.py").read_text())
        table = next(s for s in module.body if isinstance(s, ast.AnnAssign) and ast.unparse(s.target) == "NETWORKS")
        assert isinstance(table.value, ast.Dict)
        return [ast.literal_eval(key) for key in table.value.keys if key]

    assert names("jax") == names("torch") == names("mindspore")


@pytest.mark.usefixtures("modules")
def test_peers_that_take_long_are_measured_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import argparse

    import harness

    monkeypatch.setattr(harness, "_has", lambda python, module: True)
    parser = argparse.ArgumentParser()
    harness.add_arguments(parser, ("torch", "jax"))
    assert set(harness.interpreters(parser.parse_args([]))) == {"graphc", "torch", "jax"}
    assert set(harness.interpreters(parser.parse_args(["--peers", "mindspore"]))) == {"graphc", "mindspore"}


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
    assert stages["nodes"] > 150 and 10 < stages["kernels compiled"] < 100


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


def figures_of(steps: dict[str, dict[str, float]], benchmark: str, **more: Any) -> dict[str, Any]:
    """What a benchmark would have written, with these ms per step."""
    made = {
        label: {name: {"ms": ms, "noisy": name == "jax jit"} for name, ms in by_name.items()}
        for label, by_name in steps.items()
    }
    machine = {"cpu": "Abacus"}
    return {"benchmark": benchmark, "machine": machine, "threads": 1, "steps": made, "first_step": {}, **more}


PROGRAMS = figures_of(
    {"lenet batch 32": {"graphc graph": 0.8, "graphc eager": 1.5, "torch eager": 3.6, "jax jit": 6.8}}, "programs",
    first_step={"lenet batch 32": {"graphc graph": {"cold": 0.68, "warm": 0.31, "peak": 96 * 2**20}}},
)  # fmt: skip
NETWORKS = figures_of(
    {
        "lstm-2-layers batch 1": {"graphc graph": 1.0, "graphc eager": 8.0, "torch eager": 4.0, "torch compile": 2.0},
        "lstm-2-layers batch 32": {"graphc graph": 4.0, "graphc eager": 8.0, "torch eager": 2.0, "jax jit": 3.0},
        "lstm-2-layers batch 64": {"graphc graph": 4.0, "graphc eager": 8.0, "torch eager": 8.0, "jax jit": 4.0},
        "tcn batch 1": {"graphc graph": 1.0, "torch eager": 1.0},
    },
    "networks",
)
KERNELS = {
    "benchmark": "kernels", "machine": {"cpu": "Abacus"}, "threads": 1,
    "limits": {"flops": 1e11, "bytes_per_second": {"triad": {"L1": 1e11, "DRAM": 1e10}}},
    "kernels": {
        "matmul: 64": {"flops": 10**6, "bytes": 10**4, "graphc graph": {"ms": 0.01}, "torch eager": {"ms": 0.02}},
        "reduction: sum": {"flops": 0, "bytes": 10**4, "graphc graph": {"ms": 0.01}, "torch eager": {"ms": 0.02}},
    },
}  # fmt: skip


@pytest.mark.usefixtures("modules")
def test_report_writes_tables() -> None:
    from report import section

    text = section([PROGRAMS, NETWORKS, KERNELS], "docs/pictures")
    assert "| ms per step | graphc, graph | graphc, eager | PyTorch eager | JAX jit | fastest other : graphc |" in text
    assert "| LeNet-5, batch 32 | 0.8 | 1.5 | 3.6 | 6.8 ~ | 4.5x |" in text
    assert "| LeNet-5, batch 32 | 0.68 / 0.31 s, 96 MiB | - | - | - |" in text
    assert "how many times as long the fastest of PyTorch eager, torch.compile, JAX jit takes." in text
    assert "ahead in 3 of 4 steps, 1.00x in the geometric mean, 0.50x at worst; in eager mode 0.31x." in text
    who = "1: torch.compile; 32: PyTorch eager; 64: JAX jit"
    assert f"| lstm-2-layers | 1: 2.0x, 32: 0.50x, 64: 1.00x | 1: 0.25x, 32: 0.25x, 64: 0.50x | {who} |" in text
    assert "| tcn | 1: 1.00x |  | PyTorch eager |" in text
    assert "2 single kernels, CPU time of one core, Abacus: 2 are at least as fast as PyTorch's, 2.0x in" in text
    assert "](docs/pictures/steps.svg)" in text and "svg" not in section([PROGRAMS, NETWORKS, KERNELS])


@pytest.mark.usefixtures("modules")
def test_report_rewrites_its_section_alone(tmp_path: Path) -> None:
    import report

    page = tmp_path / "README.md"
    page.write_text(f"# graphc\n\n{report.BEGIN}\nstale\n{report.END}\n\nThe end.\n")
    figures = tmp_path / "programs.json"
    figures.write_text(json.dumps(PROGRAMS))
    for _ in range(2):  # the second time changes nothing
        report.main([str(figures), "--readme", str(page), "--no-pictures"])
        text = page.read_text()
        assert text.startswith(f"# graphc\n\n{report.BEGIN}\n\nTraining steps")
        assert text.endswith(f"|\n\n{report.END}\n\nThe end.\n") and "stale" not in text
    with pytest.raises(ValueError, match="expected one"):
        report.rewritten("nothing marked", "text")
    report.rewritten((BENCHMARKS.parent / "README.md").read_text(), "text")  # the real page has the marks


@pytest.mark.usefixtures("modules")
def test_report_draws_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from report import draw

    drawn = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        draw([PROGRAMS, NETWORKS, KERNELS], folder)
        drawn.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert set(drawn[0]) == {"kernels.svg", "networks.svg", "steps.svg"}
    assert drawn[0] == drawn[1]
    assert b"lstm-2-layers" in drawn[0]["networks.svg"] and b"torch compile" in drawn[0]["networks.svg"]
    assert all(len(picture) < 100_000 for picture in drawn[0].values())


@pytest.mark.usefixtures("modules")
def test_every_network_has_data() -> None:
    from workloads import Workload, networks

    labels = [workload.label for workload in networks()]
    assert len(labels) == len(set(labels))
    for workload in networks([2]):
        assert Workload.from_json(json.loads(json.dumps(workload.to_json()))) == workload
        x, y = workload.batches(1)[0]
        assert x.shape == (2, *workload.inputs) and y.shape[0] == 2


def names_of_networks() -> list[str]:
    """Every network of `workloads.networks`."""
    script = "from workloads import networks; print(*dict.fromkeys(w.name for w in networks()))"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=BENCHMARKS, capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("name", names_of_networks())
def test_networks_learn_alike_in_both_modes(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("BENCHMARK_FRAMEWORK", "graphc")
    from frameworks.mindspore_api import Session
    from workloads import networks

    if name in ("mlp-4096", "transformer-256x4", "resnet18"):
        pytest.skip("takes long, and differs from others only in size")
    workload = next(w for w in networks([3]) if w.name == name)
    (batch,) = workload.batches(1)
    losses = []
    for variant in ("graph", "eager"):
        session = Session(workload, variant, 1, dropout=True)
        found = []
        for _ in range(3):
            session.step(*batch)
            found.append(session.sync())
        losses.append(found)
    assert losses[0] == losses[1]
    assert all(np.isfinite(losses[0])) and losses[0][0] != losses[0][-1]
