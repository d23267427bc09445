"""Steps of optimizers as primitives: what MindSpore 2.10 makes of the same Parameters in two steps, in both modes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Parameter, Tensor, ops

_rng = np.random.RandomState(0)
V, G, P1, P2, P3 = ((_rng.rand(2, 3) * 2 - 1).astype(np.float32) for _ in range(5))
STATES = {"v": V, "1": abs(P1), "2": abs(P2), "3": abs(P3), "one": np.ones((2, 3), np.float32)}


def t(number: float) -> Tensor:
    return Tensor(np.float32(number))


STEPS: list[tuple[Callable[..., Any], tuple[Any, ...], list[list[float]]]] = [
    (ops.SGD(0.1, 0.02), ("v", G, t(0.1), "1", t(0.9), "one"), [
        [0.13201, 0.20872, -0.05511, 0.15449, -0.3151, 0.27398],
        [-0.22095, 1.42445, 1.67491, -0.41596, 1.04367, 0.11441],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]),
    (ops.SGD(nesterov=True), ("v", G, t(0.1), "1", t(0.9), "one"), [
        [0.15517, 0.06916, -0.22197, 0.19723, -0.42166, 0.26515],
        [-0.23717, 1.48874, 1.76192, -0.44292, 1.10856, 0.1098],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]),
    (ops.ApplyAdaMax(), ("v", "1", "2", 0.9, 0.01, 0.9, 0.99, 1e-6, G), [
        [0.06179, 0.21562, 0.02141, -0.13827, -0.46292, 0.08297],
        [0.08652, 0.83834, 0.87111, 0.62456, 0.8881, 0.54982],
        [0.54524, 0.78355, 0.93819, 0.58641, 0.58345, 0.54989],
    ]),
    (ops.ApplyAdadelta(), ("v", "1", "2", 0.5, 0.9, 1e-6, G), [
        [0.36198, -0.31061, -0.77389, 0.29817, -0.32362, 0.23586],
        [0.11319, 0.80612, 0.85831, 0.67918, 0.84192, 0.53948],
        [0.46389, 0.70374, 0.95762, 0.49289, 0.06795, 0.45505],
    ]),
    (ops.ApplyAdagradV2(1e-3), ("v", "1", 0.1, G), [
        [0.16004, 0.3114, 0.07711, 0.13868, -0.24934, 0.27769],
        [0.16725, 2.07908, 2.57779, 0.93443, 1.64039, 0.67192],
    ]),
    (ops.ApplyAdagradV2(1e-3, False), ("v", "1", 0.1, G), [
        [0.16512, 0.26071, 0.00551, 0.14102, -0.27169, 0.27763],
        [0.13609, 0.85119, 0.85793, 0.82574, 0.95956, 0.66524],
    ]),
    (ops.ApplyAdamWithAmsgradV2(), ("v", "1", "2", "3", t(0.8), t(0.99), t(0.01), t(0.8), t(0.99), t(1e-6), G), [
        [0.09691, 0.4207, 0.19655, 0.08415, -0.18272, 0.28514],
        [0.04216, 0.82684, 0.88291, 0.44455, 0.82416, 0.44656],
        [0.54555, 0.73752, 0.9553, 0.58749, 0.08228, 0.54996],
        [0.76345, 0.73876, 0.95626, 0.88934, 0.08228, 0.55548],
    ]),
    (ops.ApplyAddSign(), ("v", "1", 0.1, 1.0, 0.99, 0.9, G), [
        [0.09788, 0.11853, -0.16355, 0.09023, -0.3849, 0.26879],
        [0.08652, 0.83834, 0.87111, 0.62456, 0.8881, 0.54982],
    ]),
    (ops.ApplyPowerSign(), ("v", "1", 0.1, math.e, 0.99, 0.9, G), [
        [0.09932, -1.88075, -2.52969, 0.09293, -1.87362, 0.12133],
        [0.08652, 0.83834, 0.87111, 0.62456, 0.8881, 0.54982],
    ]),
    (ops.ApplyCenteredRMSProp(), ("v", "1", "2", "3", G, 0.1, 0.9, 0.5, 1.0), [
        [-0.44924, 0.02596, -0.54182, -0.52053, -0.45963, 0.15028],
        [0.08652, 0.83834, 0.87111, 0.62456, 0.8881, 0.54982],
        [0.45357, 0.71607, 0.93875, 0.49496, 0.12708, 0.45509],
        [0.17537, 0.1867, 0.30603, 0.18865, 0.16918, 0.05076],
    ]),
    (ops.ApplyRMSProp(), ("v", "1", "2", 0.1, G, 0.9, 0.5, 1e-3), [
        [-0.22972, -0.34098, -0.76251, -0.29032, -0.36634, -0.14806],
        [0.11319, 0.80612, 0.85831, 0.67918, 0.84192, 0.53948],
        [0.08449, 0.31526, 0.38937, 0.10785, 0.11358, 0.15186],
    ]),
    (ops.ApplyFtrl(), ("v", "1", "2", G, 0.1, 0.05, 0.02, -0.5), [
        [-0.06164, -0.07353, -0.13706, -0.00664, -0.1202, -0.07552],
        [0.16725, 2.07908, 2.57779, 0.93443, 1.64039, 0.67192],
        [0.30453, 1.11313, 2.25606, 0.11441, 1.59431, 0.67207],
    ]),
    (ops.ApplyProximalAdagrad(), ("v", "1", 0.1, 0.05, 0.02, G), [
        [0.13388, 0.30269, 0.0698, 0.12773, -0.2404, 0.26413],
        [0.16725, 2.07908, 2.57779, 0.93443, 1.64039, 0.67192],
    ]),
    (ops.ApplyProximalGradientDescent(), ("v", 0.1, 0.05, 0.02, G), [
        [0.11216, 0.26245, 0.00983, 0.12592, -0.25845, 0.26913],
    ]),
    (ops.AdamWeightDecay(), ("v", "1", "2", 0.01, 0.9, 0.99, 1e-6, 0.1, G), [
        [0.09478, 0.40994, 0.18737, 0.0721, -0.21598, 0.27569],
        [0.08652, 0.83834, 0.87111, 0.62456, 0.8881, 0.54982],
        [0.54555, 0.73752, 0.9553, 0.58749, 0.08228, 0.54996],
    ]),
]  # fmt: skip


def stepped(step: Callable[..., Any], args: tuple[Any, ...], mode: int) -> list[np.ndarray]:
    """The Parameters among the arguments after two steps."""
    graphc.set_context(mode=mode)
    given = [
        Parameter(Tensor(STATES[a]), f"p{i}") if isinstance(a, str) else Tensor(a) if isinstance(a, np.ndarray) else a
        for i, a in enumerate(args)
    ]
    run = graphc.jit(lambda: step(*given)) if mode == graphc.GRAPH_MODE else lambda: step(*given)
    run()
    found = run()
    kept = [a.asnumpy() for a in given if isinstance(a, Parameter)]
    first = found[0] if isinstance(found, tuple) else found
    np.testing.assert_array_equal(first.asnumpy(), kept[0])
    return kept


@pytest.mark.parametrize(("step", "args", "wanted"), STEPS, ids=lambda value: getattr(value, "name", None))
def test_two_steps(step: Callable[..., Any], args: tuple[Any, ...], wanted: list[list[float]]) -> None:
    eager, graph = (stepped(step, args, mode) for mode in (graphc.PYNATIVE_MODE, graphc.GRAPH_MODE))
    assert len(eager) == len(wanted)
    for a, b, w in zip(eager, graph, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a.ravel(), w, rtol=2e-5, atol=2e-5)


def test_steps_that_follow_their_formulas() -> None:
    lr, momentum = 0.1, 0.9
    moment = STATES["1"] * momentum - G * lr
    var, accum = stepped(ops.ApplyKerasMomentum(), ("v", "1", lr, G, momentum), graphc.PYNATIVE_MODE)
    second = moment * momentum - G * lr
    np.testing.assert_allclose(accum, second, rtol=1e-5)
    np.testing.assert_allclose(var, V + moment + second, rtol=1e-5, atol=1e-6)
    var, _ = stepped(ops.ApplyKerasMomentum(use_nesterov=True), ("v", "1", lr, G, momentum), graphc.PYNATIVE_MODE)
    np.testing.assert_allclose(var, V + (moment + second) * momentum - 2 * G * lr, rtol=1e-5, atol=1e-6)
    own = (0.8, 0.99, 1e-6)
    args = ("v", "1", "2", "3", 0.8, 0.99, 0.01)
    one = stepped(ops.ApplyAdamWithAmsgrad(*own), (*args, G), graphc.PYNATIVE_MODE)
    for a, b in zip(one, stepped(ops.ApplyAdamWithAmsgradV2(), (*args, *own, G), graphc.GRAPH_MODE), strict=True):
        np.testing.assert_array_equal(a, b)
    var, total, squares = stepped(ops.ApplyAdagradDA(), ("v", "1", "2", G, lr, 0.05, 0.02, 2), graphc.PYNATIVE_MODE)
    kept = np.sign(total) * np.maximum(abs(total) - 0.05 * 2, 0)
    np.testing.assert_allclose(var, -lr * kept / (0.02 * 2 * lr + np.sqrt(squares)), rtol=1e-5)
    np.testing.assert_allclose(total, STATES["1"] + 2 * G, rtol=1e-5)
