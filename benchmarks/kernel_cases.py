"""The single kernels that are measured: for each its operands, and the expression that computes it in each framework.

An expression is evaluated with the operands by their names, and with `ms, nn, ops` (graphc) or `torch, F, aten`
(PyTorch). What `setup` assigns is there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """One kernel.

    Attributes:
        family, name: where it stands in the tables.
        operands: name to shape; float32 normal numbers, or int64 ones below `below` where that is given.
        graphc, torch: expressions.
        setup: for each framework, statements that are executed first.
        flops: multiplications and additions that it takes; 0 where it is bound by memory.
        nbytes: bytes that it must read and write.
        traffic: the kind of traffic its limit is measured by (`graphc.runtime.limits.KINDS`).
    """

    family: str
    name: str
    operands: Mapping[str, Shape]
    graphc: str
    torch: str
    nbytes: int
    flops: int = 0
    traffic: str = "triad"
    below: dict[str, int] = field(default_factory=dict)
    setup: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What a worker is sent."""
        return asdict(self)


def cases() -> list[Case]:
    """All of them."""
    return [*matmuls(), *convolutions(), *normalisations(), *reductions(), *movements(), *elementwise(), *optimizers()]


def floats(*shapes: Shape) -> int:
    """The bytes of float32 arrays of these shapes."""
    return 4 * sum(map(prod, shapes))


def matmuls() -> list[Case]:
    """[M, K] @ [K, N], with each operand as it is (N) or given transposed (T)."""
    found = []
    shapes = [
        (32, 10, 84), (32, 84, 120), (32, 120, 400), (64, 10, 512), (64, 512, 512), (64, 512, 784), (256, 512, 1024),
        (127, 129, 131), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048),
    ]  # fmt: skip
    for m, n, k in shapes:
        for first in "NT":
            for second in "NT":
                a, b = (m, k) if first == "N" else (k, m), (k, n) if second == "N" else (n, k)
                operands = tuple(zip("ab", first + second))
                ours = [name if how == "N" else f"ops.transpose({name}, (1, 0))" for name, how in operands]
                theirs = [name if how == "N" else f"{name}.T" for name, how in operands]
                found.append(Case(
                    "matmul", f"{m} x {n} x {k} {first}{second}", {"a": a, "b": b}, f"ops.matmul({ours[0]}, {ours[1]})",
                    f"{theirs[0]} @ {theirs[1]}", floats(a, b, (m, n)), 2 * m * n * k,
                ))  # fmt: skip
    return found


# (name, N, C, H, W, features, kernel, stride, padding, groups)
CONVOLUTIONS = [
    ("LeNet 1-6", 32, 1, 32, 32, 6, 5, 1, 0, 1),
    ("LeNet 6-16", 32, 6, 14, 14, 16, 5, 1, 0, 1),
    ("CIFAR 3-6", 64, 3, 32, 32, 6, 5, 1, 0, 1),
    ("CIFAR 6-16", 64, 6, 14, 14, 16, 5, 1, 0, 1),
    ("CNN 1-32", 256, 1, 28, 28, 32, 5, 1, 0, 1),
    ("CNN 32-64", 256, 32, 12, 12, 64, 5, 1, 0, 1),
    ("3x3 64-64", 32, 64, 32, 32, 64, 3, 1, 1, 1),
    ("3x3 128-128", 32, 128, 16, 16, 128, 3, 1, 1, 1),
    ("3x3 64-128 stride 2", 32, 64, 32, 32, 128, 3, 2, 1, 1),
    ("1x1 64-128", 32, 64, 28, 28, 128, 1, 1, 0, 1),
    ("depthwise 3x3 64", 32, 64, 28, 28, 64, 3, 1, 1, 64),
    ("odd 3x3 5-7", 13, 5, 17, 19, 7, 3, 1, 1, 1),
]


def convolutions() -> list[Case]:
    """Each forward, backward to its input ("data") and to its weights."""
    found = []
    for name, n, c, h, w, f, k, stride, padding, groups in CONVOLUTIONS:
        high, wide = ((size + 2 * padding - k) // stride + 1 for size in (h, w))
        x, weight, y = (n, c, h, w), (f, c // groups, k, k), (n, f, high, wide)
        flops = 2 * prod(y) * prod(weight[1:])
        mode = f"'pad', {padding}" if padding else "'valid', 0"
        ours = f"ops.conv2d(x, w, None, {stride}, {mode}, 1, {groups})"
        back = (
            f"aten.convolution_backward(d, x, w, None, [{stride}] * 2, [{padding}] * 2, [1, 1], False, [0, 0], "
            f"{groups}, [{{}}, {{}}, False])"
        )
        nbytes = floats(x, weight, y)
        operands = {"x": x, "w": weight, "d": y}
        found += [
            Case("convolution", f"{name} forward", {"x": x, "w": weight}, ours,
                 f"F.conv2d(x, w, None, {stride}, {padding}, 1, {groups})", nbytes, flops),
            Case("convolution", f"{name} data", operands, f"ms.grad(lambda x: ops.sum({ours} * d))(x)",
                 back.format(True, False) + "[0]", nbytes, flops),
            Case("convolution", f"{name} weights", operands, f"ms.grad(lambda w: ops.sum({ours} * d))(w)",
                 back.format(False, True) + "[1]", nbytes, flops),
        ]  # fmt: skip
    return found


def normalisations() -> list[Case]:
    """Softmax, layer norm, batch norm; forward and backward."""
    found = []
    x: Shape
    for rows, columns in ((64, 10), (512, 512), (4096, 1024)):
        x = (rows, columns)
        size = f"{rows} x {columns}"
        found.append(Case("normalisation", f"softmax {size}", {"x": x}, "ops.softmax(x)", "torch.softmax(x, -1)",
                          floats(x, x)))  # fmt: skip
        found.append(Case(
            "normalisation", f"cross-entropy and gradient {size}", {"x": x, "t": (rows,)},
            "ms.value_and_grad(lambda x: ops.cross_entropy(x, ops.cast(t, ms.int32)))(x)",
            "(lambda loss: (loss, *torch.autograd.grad(loss, x)))(F.cross_entropy(x, t))", floats(x, x),
            below={"t": columns}, setup={"torch": "x.requires_grad_()"},
        ))  # fmt: skip
    for rows, columns in ((512, 512), (4096, 768)):
        x, g = (rows, columns), (columns,)
        size = f"{rows} x {columns}"
        found.append(Case(
            "normalisation", f"layer norm {size}", {"x": x, "g": g, "b": g}, f"ops.layer_norm(x, ({columns},), g, b)",
            f"F.layer_norm(x, ({columns},), g, b)", floats(x, x),
        ))  # fmt: skip
        found.append(Case(
            "normalisation", f"layer norm backward {size}", {"x": x, "g": g, "b": g, "d": x},
            f"ms.grad(lambda x: ops.sum(ops.layer_norm(x, ({columns},), g, b) * d))(x)",
            "torch.autograd.grad(y, x, d, retain_graph=True)", floats(x, x, x),
            setup={"torch": f"x.requires_grad_(); y = F.layer_norm(x, ({columns},), g, b)"},
        ))  # fmt: skip
    x = (32, 64, 32, 32)
    found.append(Case(
        "normalisation", "batch norm 32 x 64 x 32 x 32", {"x": x}, "bn(x)", "bn(x)", floats(x, x),
        setup={"graphc": "bn = nn.BatchNorm2d(64); bn.set_train()", "torch": "bn = torch.nn.BatchNorm2d(64)"},
    ))  # fmt: skip
    found.append(Case(
        "normalisation", "batch norm backward 32 x 64 x 32 x 32", {"x": x, "d": x},
        "ms.grad(lambda x: ops.sum(bn(x) * d))(x)", "torch.autograd.grad(y, x, d, retain_graph=True)", floats(x, x, x),
        setup={"graphc": "bn = nn.BatchNorm2d(64); bn.set_train()",
               "torch": "bn = torch.nn.BatchNorm2d(64); x.requires_grad_(); y = bn(x)"},
    ))  # fmt: skip
    return found


def reductions() -> list[Case]:
    """Sums and maxima, along each axis and over all."""
    found = []
    x: Shape
    for rows, columns in ((64, 512), (1024, 1024), (8192, 2048)):
        x, size = (rows, columns), f"{rows} x {columns}"
        for axes, text in (("0", "columns"), ("1", "rows"), ("(0, 1)", "all")):
            found.append(Case("reduction", f"sum of {text} {size}", {"x": x}, f"ops.sum(x, {axes})", f"x.sum({axes})",
                              floats(x), traffic="read"))  # fmt: skip
        found.append(Case("reduction", f"max of rows {size}", {"x": x}, "ops.amax(x, 1)", "x.amax(1)", floats(x),
                          traffic="read"))  # fmt: skip
    x = (32, 64, 32, 32)
    found.append(Case("reduction", "sum of all but channels 32 x 64 x 32 x 32", {"x": x}, "ops.sum(x, (0, 2, 3))",
                      "x.sum((0, 2, 3))", floats(x), traffic="read"))  # fmt: skip
    return found


def movements() -> list[Case]:
    """Transposes, gathers, and pooling's like."""
    found = []
    for shape, axes in (
        ((512, 512), (1, 0)), ((4096, 1024), (1, 0)), ((32, 64, 32, 32), (0, 2, 3, 1)), ((64, 128, 8, 64), (0, 2, 1, 3))
    ):  # fmt: skip
        size = " x ".join(map(str, shape))
        found.append(Case(
            "movement", f"transpose {size} to {axes}", {"x": shape}, f"ops.transpose(x, {axes})",
            f"x.permute({axes}).contiguous()", floats(shape, shape), traffic="copy",
        ))  # fmt: skip
    for rows, width, count in ((1000, 64, 512), (50000, 256, 4096)):
        found.append(Case(
            "movement", f"gather {count} of {rows} rows of {width}", {"x": (rows, width), "i": (count,)},
            "ops.gather(x, i, 0)", "F.embedding(i, x)", floats((count, width), (count, width)), traffic="copy",
            below={"i": rows},
        ))  # fmt: skip
    x = (64, 16, 28, 28)
    found.append(Case("movement", "max pooling 2 x 2 of 64 x 16 x 28 x 28", {"x": x}, "ops.max_pool2d(x, 2, 2)",
                      "F.max_pool2d(x, 2)", floats(x, (64, 16, 14, 14))))  # fmt: skip
    return found


def elementwise() -> list[Case]:
    """Arithmetic and transcendentals over vectors in cache and out of it."""
    found = []
    for size in (1 << 12, 1 << 18, 1 << 24):
        x = (size,)
        found.append(Case("elementwise", f"a * b + c of {size}", {"a": x, "b": x, "c": x}, "a * b + c",
                          "torch.addcmul(c, a, b)", floats(x, x, x, x)))  # fmt: skip
        for name in ("relu", "exp", "tanh", "sigmoid", "gelu"):
            theirs = f"F.{name}(x)" if name == "gelu" else f"torch.{name}(x)"
            found.append(Case("elementwise", f"{name} of {size}", {"x": x}, f"ops.{name}(x)", theirs, floats(x, x),
                              traffic="copy"))  # fmt: skip
    return found


def optimizers() -> list[Case]:
    """One update of all parameters."""
    found = []
    for size in (1 << 16, 1_000_000):
        w = (size,)
        found.append(Case(
            "optimizer", f"Adam of {size} parameters", {"w": w, "g": w}, "adam((g,))", "adam.step()",
            floats(w, w, w, w, w, w, w),
            setup={"graphc": "adam = nn.Adam([ms.Parameter(w, name='w')], 1e-3)",
                   "torch": "p = torch.nn.Parameter(w); p.grad = g; adam = torch.optim.Adam([p], 1e-3, fused=True)"},
        ))  # fmt: skip
    return found
