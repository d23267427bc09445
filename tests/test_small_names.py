"""Names that programs import or call in passing, of which MindSpore has a few of each kind."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import graphc
import graphc.dataset as ds
from graphc import Parameter, Tensor, log, nn, ops


def rows(count: int) -> ds.Dataset:
    return ds.NumpySlicesDataset({"x": np.arange(count, dtype=np.float32)}, shuffle=False)


def test_data_sink_goes_through_the_dataset_again_and_again() -> None:
    step = graphc.data_sink(lambda x: float(x), rows(3))
    assert [step() for _ in range(5)] == [0, 1, 2, 0, 1]
    by_two = graphc.data_sink(lambda x: float(x), rows(3), sink_size=2)
    assert [by_two() for _ in range(3)] == [1, 0, 2]
    for options in ({"sink_size": 0}, {"sink_size": 1.5}, {"jit_config": 1}):
        with pytest.raises((TypeError, ValueError), match="data_sink"):
            graphc.data_sink(print, rows(3), **options)
    with pytest.raises(TypeError, match="expected a function and a Dataset"):
        graphc.data_sink(print, [1, 2])


def test_log_goes_to_the_logger_of_the_package(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "graphc"):
        log.info("loss %.1f", 0.5)
        log.error("no file")
        assert log.get_level() == "0"
    assert [(r.levelname, r.getMessage(), r.filename) for r in caplog.records] == [
        ("INFO", "loss 0.5", "test_small_names.py"), ("ERROR", "no file", "test_small_names.py")
    ]  # fmt: skip


def test_older_names_and_settings_of_one_device() -> None:
    assert graphc.ms_function is graphc.jit
    graphc.manual_seed(3)
    assert graphc.get_seed() == 3
    graphc.set_recursion_limit(2000)
    assert graphc.get_context("max_call_depth") == 2000
    graphc.set_recursion_limit(1000)
    x = Tensor([1.0, 2.0])
    assert nn.DistributedGradReducer([])((x,)) == (x,)
    nn.Dense(2, 2).recompute()
    parameter = Parameter(x, "p", layerwise_parallel=False, parallel_optimizer=False)
    assert parameter.name == "p"
    shared = np.zeros(2, np.float32)
    tensor = Tensor.from_numpy(shared)
    shared[0] = 3
    assert tensor.asnumpy().tolist() == [3, 0]


def test_flags_of_functions() -> None:
    @ops.add_flags(has_effect=True)
    def double(x: Tensor) -> Tensor:
        return x * 2

    assert double(Tensor([1.0])).asnumpy() == 2
    assert double._mindspore_flags == {"has_effect": True}


def test_jacfwd_is_the_jacobian() -> None:
    x = Tensor([1.0, 2.0])
    found = graphc.jacfwd(lambda v: ops.stack([v[0] * v[1], v[1] * v[1], v[0]]))(x)
    assert found.asnumpy().tolist() == [[2, 1], [0, 4], [1, 0]]


def test_settings_of_the_pipeline() -> None:
    ds.config.set_enable_shared_mem(True)
    assert ds.config.get_enable_shared_mem()
    ds.config.set_enable_shared_mem(False)
    ds.config.set_numa_enable(False)
    ds.config.set_enable_autotune(False)
    assert not ds.config.get_enable_autotune() and not ds.config.get_numa_enable()
    with pytest.raises(ValueError, match="expected False"):
        ds.config.set_enable_autotune(True)
    with pytest.raises(TypeError, match="expected a bool"):
        ds.config.set_enable_shared_mem(1)


both_modes = pytest.mark.parametrize("mode", (graphc.PYNATIVE_MODE, graphc.GRAPH_MODE), ids=("eager", "graph"))


def test_callbacks_metrics_and_loss_scales_are_at_the_top_as_well() -> None:
    assert graphc.LossMonitor is graphc.train.LossMonitor
    assert graphc.Accuracy is graphc.train.Accuracy
    with pytest.raises(AttributeError, match="LossMonitors"):
        graphc.LossMonitors  # noqa: B018


@both_modes
def test_loops_of_functions(mode: int) -> None:
    graphc.set_context(mode=mode)
    x = Tensor([1.0, 2.0])
    total, seen = ops.Scan()(lambda carry, item: (carry + item, carry * item), x, [x, x])
    assert total.asnumpy().tolist() == [3, 6]
    assert [s.asnumpy().tolist() for s in seen] == [[1, 4], [2, 8]]
    assert ops.Scan()(lambda carry, item: (carry + 1, item), 0, None, 3) == (3, [None] * 3)
    assert ops.ForiLoop()(1, 4, lambda i, value: value * i, 1) == 6
    assert ops.WhileLoop()(lambda pair: pair[0] < 3, lambda pair: (pair[0] + 1, pair[1] * 2), (0, 1)) == (3, 8)
    gradient = graphc.grad(lambda x: ops.ForiLoop()(0, 3, lambda i, value: value * x, x).sum())(x)
    assert gradient.asnumpy().tolist() == [4, 32]
    for wrong, error, text in (
        (lambda: ops.ForiLoop()(0, 2, lambda i, value: value.sum(), x), ValueError, r"given f32\[2\] and returned f32"),
        (lambda: ops.Scan()(lambda carry, item: carry, x, [x]), ValueError, "must return a pair"),
        (lambda: ops.Scan()(lambda carry, item: (carry, item), x, x), TypeError, "expected xs to be a list"),
        (lambda: ops.Scan()(lambda carry, item: (carry, item), x, None), ValueError, "expected a length"),
    ):
        with pytest.raises(error, match=text):
            wrong()


@both_modes
def test_rows_of_a_parameter_are_written_in_place(mode: int) -> None:
    graphc.set_context(mode=mode)
    table = Parameter(np.arange(6, dtype=np.float32).reshape(3, 2), "table")
    rows, updates = Tensor([2, 0]), Tensor([[1.0, 2.0], [3.0, 4.0]])

    def value_after(function: object, indices: Tensor, updates: Tensor) -> list[list[float]]:
        table.set_data(Tensor(np.arange(6, dtype=np.float32).reshape(3, 2)))
        graphc.jit(lambda: function(table, indices, updates) * 1)() if mode == graphc.GRAPH_MODE else function(
            table, indices, updates
        )
        return table.asnumpy().tolist()

    assert value_after(ops.scatter_update, rows, updates) == [[3, 4], [2, 3], [1, 2]]
    assert value_after(ops.scatter_add, rows, updates) == [[3, 5], [2, 3], [5, 7]]
    assert value_after(ops.scatter_sub, rows, updates) == [[-3, -3], [2, 3], [3, 3]]
    assert value_after(ops.ScatterSub(), rows, updates) == [[-3, -3], [2, 3], [3, 3]]
    cells = Tensor([[0, 1], [2, 0]])
    assert value_after(ops.scatter_nd_add, cells, Tensor([5.0, 7.0])) == [[0, 6], [2, 3], [11, 5]]
    assert value_after(ops.scatter_nd_sub, cells, Tensor([5.0, 7.0])) == [[0, -4], [2, 3], [-3, 5]]
    assert value_after(ops.scatter_nd_update, cells, Tensor([5.0, 7.0])) == [[0, 5], [2, 3], [7, 5]]
    with pytest.raises(TypeError, match="expected a Parameter"):
        ops.scatter_add(Tensor([[1.0]]), Tensor([0]), Tensor([[1.0]]))
    with pytest.raises(IndexError, match="index 3 at position 0"):
        ops.scatter_update(table, Tensor([3]), Tensor([[0.0, 0.0]]))


@both_modes
@pytest.mark.parametrize(("spatial", "extent"), ((1, 9), (2, 6), (3, 4)))
def test_unpooling_puts_maxima_back(spatial: int, extent: int, mode: int) -> None:
    graphc.set_context(mode=mode)
    x = np.random.default_rng(0).standard_normal((2, 3, *(extent,) * spatial)).astype(np.float32)
    pool = getattr(nn, f"MaxPool{spatial}d")(2, 2, return_indices=True)
    unpool = getattr(nn, f"MaxUnpool{spatial}d")(2, 2)

    def kept(x: Tensor) -> Tensor:
        return unpool(*pool(x), x.shape)

    windows = np.zeros_like(x)
    for place in np.ndindex(2, 3, *(extent // 2,) * spatial):
        window = (*place[:2], *(slice(2 * p, 2 * p + 2) for p in place[2:]))
        windows[window] = np.where(x[window] == x[window].max(), x[window], 0)
    assert (kept(Tensor(x)).asnumpy() == windows).all()
    gradient = graphc.grad(lambda x: (kept(x) * 2).sum())(Tensor(x))
    assert (gradient.asnumpy() == np.where(windows != 0, 2, 0)).all()
    pooled, indices = pool(Tensor(x))
    assert unpool(pooled[0], indices[0]).shape == (3, *(extent // 2 * 2,) * spatial)
    with pytest.raises(ValueError, match="integer indices, one for each"):
        unpool(pooled, pooled)
    with pytest.raises(ValueError, match="not within a stride"):
        unpool(pooled, indices, (extent + 5,) * spatial)


def test_names_of_training_and_of_types_at_the_root(capsys: pytest.CaptureFixture[str]) -> None:
    assert graphc.LossMonitor is graphc.train.LossMonitor and graphc.Accuracy is nn.Accuracy
    assert graphc.double is graphc.float64 and graphc.long is graphc.int64 and graphc.dtype.float is graphc.float32
    assert graphc.common.dtype.number_type == (*graphc.dtype.int_type, graphc.uint8, *graphc.dtype.float_type)
    with pytest.raises(AttributeError, match="has no float16"):
        _ = graphc.float16
    graphc.run_check()
    assert "compiled code works" in capsys.readouterr().out
    graphc.synchronize()
    graphc.set_deterministic(True)
    with pytest.raises(TypeError, match="expected a bool"):
        graphc.set_deterministic(1)


def test_settings_of_mindspores_compiler() -> None:
    net = nn.Dense(2, 2)
    net.set_jit_config(graphc.JitConfig(jit_level="O1"))
    assert net.jit_config_dict["jit_level"] == "O1" and graphc.no_inline(len) is len
    with pytest.raises(ValueError, match="jit_level must be one of"):
        graphc.JitConfig("O9")
    assert ops.vmap(ops.square)(Tensor([1.0, 2.0])).tolist() == [1, 4]
