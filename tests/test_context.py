"""The settings of the process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import GRAPH_MODE, PYNATIVE_MODE, Tensor, context, get_context, jit, nn, set_context, set_device


def test_modes() -> None:
    assert (GRAPH_MODE, PYNATIVE_MODE) == (0, 1) == (context.GRAPH_MODE, context.PYNATIVE_MODE)
    for mode in (GRAPH_MODE, PYNATIVE_MODE, GRAPH_MODE):
        set_context(mode=mode)
        assert get_context("mode") == mode


def test_the_mode_decides_how_a_cell_runs() -> None:
    seen: list[bool] = []

    class Net(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            seen.append(x.is_traced)
            return x * 2

    net, x = Net(), Tensor([1.0])
    for mode, traced in ((PYNATIVE_MODE, False), (GRAPH_MODE, True), (PYNATIVE_MODE, False)):
        set_context(mode=mode)
        assert net(x).tolist() == [2.0]
        assert seen.pop() is traced
    set_context(mode=GRAPH_MODE)
    net(x)
    assert not seen  # compiled before


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"mode": 2}, "the argument 'mode' should be context.GRAPH_MODE"), ({"mode": True}, "'mode' should be"),
        ({"mode": "graph"}, "'mode' should be"), ({"runtime_num_threads": 0}, "must be an int >= 1, but got 0"),
        ({"runtime_num_threads": 1.5}, "must be an int >= 1"), ({"runtime_num_threads": True}, "must be an int >= 1"),
        ({"device_target": "GPU"}, "'device_target' must be 'CPU', but got 'GPU'"),
        ({"save_graphs": "yes"}, "'save_graphs' must be"), ({"save_graphs": 4}, "'save_graphs' must be"),
        ({"save_graphs_path": 3}, "'save_graphs_path' must be a path"), ({"speed": 11}, "speed is not recognized!"),
    ],
)  # fmt: skip
def test_what_is_no_setting(settings: dict[str, Any], message: str) -> None:
    """What is of another type is a TypeError, as MindSpore has it, what is out of range a ValueError."""
    of_type = {"mode": int, "runtime_num_threads": int, "save_graphs": int, "save_graphs_path": str}
    ((name, value),) = settings.items()
    error = ValueError if type(value) is of_type.get(name, type(value)) else TypeError
    with pytest.raises(error, match=message):
        set_context(**settings)


def test_a_wrong_setting_changes_none() -> None:
    set_context(mode=PYNATIVE_MODE, save_graphs=False)
    threads = get_context("runtime_num_threads")
    with pytest.raises(ValueError, match="mode"):
        set_context(save_graphs=True, runtime_num_threads=threads + 1, mode=7)
    assert get_context("save_graphs") is False and get_context("runtime_num_threads") == threads


def test_getting_what_is_no_setting() -> None:
    with pytest.raises(ValueError, match="speed is not recognized"):
        get_context("speed")


def test_levels_of_dumps_mean_yes() -> None:
    for value, wanted in ((True, True), (3, True), (1, True), (0, False), (False, False)):
        set_context(save_graphs=value)
        assert get_context("save_graphs") is wanted


def test_threads() -> None:
    assert get_context("runtime_num_threads") >= 1
    set_context(runtime_num_threads=3)
    assert get_context("runtime_num_threads") == 3


def test_devices() -> None:
    set_device("CPU")
    set_device("CPU", 0)
    with pytest.raises(ValueError, match="only device 0, got 1"):
        set_device("CPU", 1)
    with pytest.raises(ValueError, match="must be 'CPU'"):
        set_device("Ascend")


def test_dumps_are_numbered_files_of_every_stage(tmp_path: Path) -> None:
    set_context(save_graphs=True, save_graphs_path=tmp_path / "ir")
    step = jit(lambda x, w: (x @ w).sum())
    for _ in range(2):
        step(Tensor(np.ones((3, 4), np.float32)), Tensor(np.ones((4, 5), np.float32)))
    (folder,) = (tmp_path / "ir").iterdir()
    assert folder.name.endswith("_lambda")
    files = sorted(p.name for p in folder.iterdir())
    assert [f.split("_", 1)[1].removesuffix(".txt") for f in files] == list(ms.compiler.STAGES)
    assert [int(f.split("_")[0]) for f in files] == list(range(len(files)))
    traced = (folder / files[0]).read_text()
    assert traced.startswith("graph lambda(%x: f32[3,4], %w: f32[4,5]) {") and "test_context.py" in traced
    set_context(save_graphs=False)
    jit(lambda x: x + 41)(Tensor([1.0]))
    assert len(list((tmp_path / "ir").iterdir())) == 1


def test_dumps_are_made_in_spite_of_anything_a_name_may_hold(tmp_path: Path) -> None:
    set_context(save_graphs=True, save_graphs_path=str(tmp_path / "ir"))

    def f(x: Tensor) -> Tensor:
        return x * 3

    f.__name__ = "a/b c"
    jit(f)(Tensor([1.0]))
    (folder,) = (tmp_path / "ir").iterdir()
    assert folder.name.endswith("_a_b_c")
    assert (folder / "00_traced.txt").read_text().startswith("graph a_b_c(%x: f32[1])")


def test_older_names_of_settings() -> None:
    ms.manual_seed(3)
    assert ms.get_seed() == 3
    ms.set_recursion_limit(2000)
    assert get_context("max_call_depth") == 2000
    ms.set_recursion_limit(1000)


def test_settings_that_are_only_kept() -> None:
    for name, value, wrong in (
        ("deterministic", "OFF", "on"), ("enable_graph_kernel", False, 1), ("jit_config", {"jit_level": "O1"}, "O1"),
        ("memory_optimize_level", "O1", 1), ("graph_kernel_flags", "--opt_level=2", 2), ("ascend_config", {}, None),
    ):  # fmt: skip
        before = get_context(name)
        set_context(**{name: value})
        assert get_context(name) == value
        with pytest.raises(ValueError if isinstance(wrong, type(value)) else TypeError, match=f"{name}' must be"):
            set_context(**{name: wrong})
        if before is not None:
            set_context(**{name: before})


def test_dumps_take_the_place_of_those_of_earlier_processes(tmp_path: Path) -> None:
    folder = tmp_path / "ir"
    for old in ("00_step", "07_step", "08_kept"):
        (folder / old).mkdir(parents=True)
        (folder / old / "00_traced.txt").write_text("old")
    (folder / "08_kept" / "notes.txt").write_text("of the user")
    (folder / "09_other").mkdir()
    set_context(save_graphs=True, save_graphs_path=folder)
    for _ in range(2):
        jit(lambda x: x * 2.0 + 1.0)(Tensor([1.0, 2.0]))
    assert sorted(path.name for path in folder.iterdir()) == ["00_lambda", "01_lambda", "08_kept", "09_other"]
    set_context(save_graphs_path=tmp_path / "others")
    jit(lambda x: x * 3.0)(Tensor([1.0, 2.0]))
    assert [path.name for path in (tmp_path / "others").iterdir()] == ["00_lambda"]


def test_what_mindspores_own_wrappers_ask_about_other_processes():
    from graphc.parallel import _utils

    assert not _utils._is_sharding_propagation() and not _utils._is_in_auto_parallel_mode()
    assert not _utils._get_enable_parallel_optimizer() and not _utils._get_parameter_broadcast()
    assert _utils._get_pipeline_stages() == 1
    ms.set_auto_parallel_context(search_mode="sharding_propagation", parameter_broadcast=True)
    assert _utils._is_sharding_propagation() and _utils._get_parameter_broadcast()
    ms.reset_auto_parallel_context()
