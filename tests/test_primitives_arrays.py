"""The rows of `graphc.ops.primitives_arrays`: what the functions give, or NumPy, and the same bits compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Parameter, Tensor, jit, ops
from graphc.ops import operations as P
from graphc.ops import primitives_arrays

_rng = np.random.default_rng(31)
A, B = Tensor(_rng.normal(size=(4, 5)).astype("f")), Tensor(_rng.normal(size=(4, 5)).astype("f"))
IMAGES = Tensor(_rng.normal(size=(2, 4, 6, 6)).astype("f"))
LABELS = Tensor([3, 1, 2, 1], ms.int32)
ZEROS = ops.where(B > 0, B, 0.0)
THREE = Tensor(np.ones((4, 3, 3, 3), "f"))

ROWS: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
    ("ApproximateEqual", lambda: P.ApproximateEqual(0.5)(A, B), lambda: abs(A - B) < 0.5),
    ("AvgPool3D", lambda: P.AvgPool3D(2, 2)(IMAGES[None]), lambda: ops.avg_pool3d(IMAGES[None], 2, 2)),
    ("AdaptiveAvgPool3D", lambda: P.AdaptiveAvgPool3D((2, 3, 3))(IMAGES[None]),
     lambda: ops.adaptive_avg_pool3d(IMAGES[None], (2, 3, 3))),
    ("AdaptiveMaxPool2D", lambda: P.AdaptiveMaxPool2D((2, 3))(IMAGES)[0],
     lambda: ops.adaptive_max_pool2d(IMAGES, (2, 3))),
    ("BatchToSpace of SpaceToBatch",
     lambda: P.BatchToSpace(2, [[0, 0], [0, 0]])(P.SpaceToBatch(2, [[0, 0], [0, 0]])(IMAGES)), lambda: IMAGES),
    ("BatchToSpaceND of SpaceToBatchND",
     lambda: P.BatchToSpaceND([2, 3], [[0, 0], [0, 0]])(P.SpaceToBatchND([2, 3], [[0, 0], [0, 0]])(IMAGES)),
     lambda: IMAGES),
    ("CeLU", lambda: P.CeLU(2.0)(A), lambda: ops.celu(A, 2.0)),
    ("ChannelShuffle", lambda: P.ChannelShuffle(2)(IMAGES), lambda: ops.channel_shuffle(IMAGES, 2)),
    ("Col2Im", lambda: P.Col2Im([2, 2], 1, 0, 2)(P.Im2Col([2, 2], 2)(IMAGES), (6, 6)), lambda: IMAGES),
    ("Conv2DBackpropInput", lambda: P.Conv2DBackpropInput(4, 3)(IMAGES, THREE, (2, 3, 8, 8)),
     lambda: ops.conv_transpose(IMAGES, THREE)),
    ("Conv2DTranspose", lambda: P.Conv2DTranspose(4, 3, "pad", 1)(IMAGES, THREE, (2, 3, 6, 6)),
     lambda: ops.conv_transpose(IMAGES, THREE, None, 1, "pad", 1)),
    ("Conv3DTranspose", lambda: P.Conv3DTranspose(4, 3, 3)(IMAGES[:, :, None], THREE[:, :, None]),
     lambda: ops.conv_transpose(IMAGES[:, :, None], THREE[:, :, None])),
    ("CropAndResize", lambda: P.CropAndResize()(IMAGES, Tensor([[0.0, 0.0, 1.0, 1.0]]), Tensor([1]), (4, 6)),
     lambda: IMAGES[1:]),
    ("Cross", lambda: P.Cross()(A[:3], B[:3]), lambda: ops.cross(A[:3], B[:3])),
    ("Cummax", lambda: P.Cummax(1)(A)[0], lambda: ops.cummax(A, 1)[0]),
    ("Cummin", lambda: P.Cummin(1)(A)[0], lambda: ops.cummin(A, 1)[0]),
    ("DivNoNan", lambda: P.DivNoNan()(A, ZEROS), lambda: ops.where(B > 0, A / B, 0.0)),
    ("Elu", lambda: P.Elu(2.0)(A), lambda: ops.elu(A, 2.0)),
    ("EmbeddingLookup", lambda: P.EmbeddingLookup()(A, Tensor([[5, 2], [8, 3]]), 2),
     lambda: ops.stack([ops.stack([A[3], A[0]]), ops.stack([A[0] * 0, A[1]])])),
    ("EuclideanNorm", lambda: P.EuclideanNorm(True)(A, (1,)), lambda: ops.norm(A, None, 1, True)),
    ("FillV2", lambda: P.FillV2()((2, 3), Tensor(4.0)), lambda: ops.full((2, 3), 4.0)),
    ("GLU", lambda: P.GLU()(IMAGES), lambda: ops.glu(IMAGES)),
    ("GridSampler2D", lambda: P.GridSampler2D()(IMAGES, ops.zeros((2, 3, 3, 2))),
     lambda: ops.grid_sample(IMAGES, ops.zeros((2, 3, 3, 2)))),
    ("IdentityN", lambda: P.IdentityN()((A, B))[1], lambda: B),
    ("InTopK", lambda: P.InTopK(2)(A, LABELS), lambda: ops.intopk(A, LABELS, 2)),
    ("IndexAdd", lambda: P.IndexAdd(1)(Parameter(A, "p"), Tensor([0, 2]), B[:, :2]),
     lambda: ops.index_add(A, Tensor([0, 2]), B[:, :2], 1)),
    ("InplaceAdd", lambda: P.InplaceAdd((0, 1))(A, B[:2]), lambda: ops.concat([A[:2] + B[:2], A[2:]])),
    ("InplaceSub", lambda: P.InplaceSub((0, 1))(A, B[:2]), lambda: ops.concat([A[:2] - B[:2], A[2:]])),
    ("InplaceUpdate", lambda: P.InplaceUpdate(1)(A, B[:1]), lambda: ops.concat([A[:1], B[:1], A[2:]])),
    ("InvertPermutation", lambda: P.InvertPermutation()(Tensor([3, 0, 1, 2])), lambda: Tensor([1, 2, 3, 0])),
    ("IsClose", lambda: P.IsClose(0.5)(A, B), lambda: ops.isclose(A, B, 0.5)),
    ("LRN", lambda: P.LRN(1)(IMAGES), lambda: ops.lrn(IMAGES, 1)),
    ("Logit", lambda: P.Logit()(abs(A) / 9), lambda: ops.logit(abs(A) / 9)),
    ("MatrixDiagV3", lambda: P.MatrixDiagV3()(A, 1), lambda: ops.diag_embed(A, 1)),
    ("DiagPart", lambda: P.DiagPart()(A), lambda: ops.diagonal(A)),
    ("MatrixDiagPartV3", lambda: P.MatrixDiagPartV3()(A, 1, 0), lambda: ops.diagonal(A, 1)),
    ("MatrixSetDiagV3", lambda: P.MatrixSetDiagV3()(A, B[0, :4]), lambda: ops.diagonal_scatter(A, B[0, :4])),
    ("MatrixInverse", lambda: P.MatrixInverse(True)(A[:, :4]), lambda: ops.inverse(A[:, :4].T)),
    ("MatrixPower", lambda: P.MatrixPower(3)(A[:, :4]), lambda: ops.matrix_power(A[:, :4], 3)),
    ("MirrorPad", lambda: P.MirrorPad()(A, [[1, 1], [0, 2]]), lambda: ops.pad(A[None], (0, 2, 1, 1), "reflect")[0]),
    ("MulNoNan", lambda: P.MulNoNan()(A / 0, ZEROS), lambda: ops.where(B > 0, A / 0 * B, 0.0)),
    ("MultiMarginLoss", lambda: P.MultiMarginLoss(2)(A, LABELS), lambda: ops.multi_margin_loss(A, LABELS, 2)),
    ("NanToNum", lambda: P.NanToNum(1.0)(A / 0 * 0), lambda: ops.ones_like(A)),
    ("Pack", lambda: P.Pack(1)((A, B)), lambda: ops.stack((A, B), 1)),
    ("Unpack", lambda: P.Unpack(1)(A)[2], lambda: A[:, 2]),
    ("Padding", lambda: P.Padding(3)(A[:, :1]), lambda: ops.pad(A[:, :1], (0, 2))),
    ("Pdist", lambda: P.Pdist(1.0)(A), lambda: ops.pdist(A, 1.0)),
    ("Range", lambda: P.Range()(1, 7, 2), lambda: Tensor([1, 3, 5])),
    ("ReduceStd", lambda: P.ReduceStd(1)(A)[0], lambda: A.std(1, 1)),
    ("Renorm", lambda: P.Renorm(1, 0, 1.0)(A), lambda: ops.renorm(A, 1, 0, 1.0)),
    ("ResizeNearestNeighborV2", lambda: P.ResizeNearestNeighborV2()(IMAGES, (3, 3)), lambda: IMAGES[:, :, ::2, ::2]),
    ("RmsNorm", lambda: P.RmsNorm()(A, B[0])[0], lambda: ops.rms_norm(A, B[0])[0]),
    ("Roll", lambda: P.Roll(1, 1)(A), lambda: ops.roll(A, 1, 1)),
    ("SearchSorted", lambda: P.SearchSorted(ms.int32)(A.sort()[0], B),
     lambda: ops.searchsorted(A.sort()[0], B, out_int32=True)),
    ("SoftMarginLoss", lambda: P.SoftMarginLoss()(A, B.sign()), lambda: ops.soft_margin_loss(A, B.sign())),
    ("SoftShrink", lambda: P.SoftShrink(0.1)(A), lambda: ops.softshrink(A, 0.1)),
    ("SparseSoftmaxCrossEntropyWithLogits", lambda: P.SparseSoftmaxCrossEntropyWithLogits()(A, LABELS),
     lambda: ops.cross_entropy(A, LABELS)),
    ("SquareSumAll", lambda: P.SquareSumAll()(A, B)[1], lambda: (B * B).sum()),
    ("TensorScatterElements", lambda: P.TensorScatterElements(1, "add")(A, ops.zeros((4, 1), ms.int64), B[:, :1]),
     lambda: ops.concat([A[:, :1] + B[:, :1], A[:, 1:]], 1)),
    ("TensorShape", lambda: P.TensorShape()(A), lambda: Tensor([4, 5])),
    ("TrilIndices", lambda: P.TrilIndices(3, 4)(), lambda: ops.tril_indices(3, 4, dtype=ms.int32)),
    ("TriuIndices", lambda: P.TriuIndices(3, 4)(), lambda: ops.triu_indices(3, 4, dtype=ms.int32)),
    ("TripletMarginLoss", lambda: P.TripletMarginLoss()(A, B, A * 2, 2.0),
     lambda: ops.triplet_margin_loss(A, B, A * 2, 2.0)),
    ("UniqueConsecutive", lambda: P.UniqueConsecutive()(LABELS[1:]), lambda: LABELS[1:]),
    ("strided_slice", lambda: ops.strided_slice(A, (0, 1), (4, 5), (2, 2)), lambda: A[::2, 1::2]),
    ("older names", lambda: ops.functional.tensor_add(A, ops.type_as(LABELS[:, None], A)), lambda: A + LABELS[:, None]),
    ("reduce_max", lambda: ops.reduce_max(A) - ops.reduce_min(A, 0), lambda: A.max() - A.amin(0)),
    ("expand", lambda: ops.expand(A[:1], Tensor([3, -1])), lambda: ops.expand_as(A[0], A[:3])),
    ("view_as", lambda: ops.view_as(A, A.T), lambda: A.reshape(5, 4)),
]  # fmt: skip
EAGER_ONLY = ("UniqueConsecutive",)


@pytest.mark.parametrize("name, made, wanted", ROWS, ids=[row[0] for row in ROWS])
def test_rows(name: str, made: Callable[[], Any], wanted: Callable[[], Any]) -> None:
    found, expected = made(), wanted()
    assert found.spec == expected.spec
    np.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), rtol=2e-6, atol=1e-6)
    if name not in EAGER_ONLY:
        np.testing.assert_array_equal(jit(made)().asnumpy(), found.asnumpy())


def test_every_plain_row_names_a_function() -> None:
    for name, function in primitives_arrays._PLAIN.items():
        assert callable(getattr(ops, function)) and repr(getattr(ops, name)()) == f"Prim[{name}]"


def test_gradient_of_sparse_cross_entropy() -> None:
    found = P.SparseSoftmaxCrossEntropyWithLogits(is_grad=True)(A, LABELS)
    wanted = ms.grad(lambda x: ops.cross_entropy(x, LABELS))(A)
    np.testing.assert_allclose(found.asnumpy(), wanted.asnumpy(), atol=1e-7)


def test_parameters_at_positions() -> None:
    for form, function in (("Sub", np.subtract), ("Max", np.maximum), ("Mul", np.multiply)):
        for row, indices in ((f"Scatter{form}", [0, 2]), (f"ScatterNd{form}", [[0], [2]])):
            parameter = Parameter(A, "p")
            found = getattr(P, row)()(parameter, Tensor(indices), B[:2])
            wanted = A.asnumpy()
            wanted[[0, 2]] = function(wanted[[0, 2]], B[:2].asnumpy())
            np.testing.assert_array_equal(parameter.asnumpy(), wanted)
            parameter.set_data(B)
            np.testing.assert_array_equal(found.asnumpy(), wanted)  # what it held then, an ordinary tensor
            assert not isinstance(found, Parameter)


def test_steps_of_optimizers() -> None:
    a, g = A.asnumpy(), B.asnumpy()
    for nesterov in (False, True):
        w, moment = Parameter(A, "w"), Parameter(B, "m")
        found = P.ApplyMomentum(nesterov, gradient_scale=2.0)(w, moment, 0.1, B, 0.9)
        np.testing.assert_array_equal(found.asnumpy(), w.asnumpy())
        m = g * 0.9 + 2 * g
        np.testing.assert_allclose(moment.asnumpy(), m, rtol=1e-6)
        np.testing.assert_allclose(w.asnumpy(), a - 0.1 * (2 * g + 0.9 * m if nesterov else m), rtol=1e-5)
        w, first, second = Parameter(A, "w"), Parameter(B, "m"), Parameter(abs(B), "v")
        P.Adam(use_nesterov=nesterov)(w, first, second, 0.9, 0.999, 0.1, 0.9, 0.999, 1e-8, A)
        m, v = 0.9 * g + 0.1 * a, 0.999 * abs(g) + 0.001 * a * a
        step = 0.1 * np.sqrt(1 - 0.999) / (1 - 0.9) * (0.9 * m + 0.1 * a if nesterov else m) / (np.sqrt(v) + 1e-8)
        np.testing.assert_allclose(w.asnumpy(), a - step, rtol=1e-5)
    w, total = Parameter(A, "w"), Parameter(abs(B), "a")
    P.ApplyAdagrad()(w, total, 0.1, B)
    np.testing.assert_allclose(w.asnumpy(), a - 0.1 * g / np.sqrt(abs(g) + g * g), rtol=1e-5)
    np.testing.assert_allclose(P.ApplyGradientDescent()(Parameter(A, "w"), 0.1, B).asnumpy(), a - 0.1 * g, rtol=1e-6)


def test_random_rows() -> None:
    ms.set_seed(1)
    found, mask = P.Dropout2D(0.5)(ops.ones((20, 20, 3, 3)))
    assert {*np.unique(found.asnumpy())} == {0, 2} and (mask.asnumpy() == (found.asnumpy() > 0)).all()
    assert sorted(P.RandomShuffle()(Tensor(range(9))).tolist()) == [*range(9)]
    assert abs(P.TruncatedNormal()((50,))).max() <= 2 and P.StandardLaplace()((3,)).shape == (3,)
    assert {*P.Multinomial()(Tensor([0.0, 1.0, 1.0]), 30).tolist()} == {1, 2}
    assert P.RandomCategorical(ms.int32)(ops.zeros((2, 3)), 4).dtype is ms.int32


def test_boxes_that_overlap_better_ones() -> None:
    boxes = Tensor([[10, 10, 50, 50, 0.9], [12, 12, 52, 52, 0.8], [60, 60, 80, 80, 0.95], [61, 61, 70, 70, 0.1]])
    ranked, numbers, kept = P.NMSWithMask(0.3)(boxes)
    np.testing.assert_allclose(ranked[:, 4].asnumpy(), [0.95, 0.9, 0.8, 0.1])
    assert numbers.tolist() == [0, 1, 2, 3] and kept.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: P.Padding()(A), ValueError, "Padding: expected"),
        (lambda: P.NMSWithMask()(A[:, :4]), ValueError, "NMSWithMask: expected"),
        (lambda: P.ResizeNearestNeighborV2(True)(IMAGES, (3, 3)), ValueError, "align_corners must be False"),
        (lambda: P.Conv3DTranspose(1, 1, 1, data_format="NDHWC")(IMAGES, A), ValueError, "data_format must be"),
        (lambda: ops.strided_slice(A, (0,), (1, 2), (1,)), ValueError, "must be of one length"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_collective_operations_of_one_process() -> None:
    x = Tensor([[1.0, 2.0]])
    for primitive in (ops.AllReduce(), ops.AllReduce(ops.ReduceOp.MAX), ops.AllGather(), ops.ReduceScatter()):
        assert primitive(x).tolist() == [[1.0, 2.0]]
    assert [t.tolist() for t in ops.Broadcast(0)((x, x + 1))] == [[[1.0, 2.0]], [[2.0, 3.0]]]
    assert ms.grad(lambda t: ops.AllReduce()(t).sum())(x).tolist() == [[1.0, 1.0]]
    with pytest.raises(ValueError, match="op must be 'sum'"):
        ops.AllReduce("mean")(x)


def test_notes_on_primitives() -> None:
    add = ops.Add().set_device("CPU").set_stage(0).shard(((1, 1), (1, 1))).recompute()
    for refused in (lambda: ops.Add().set_device("Ascend"), lambda: ops.Add().set_stage(1)):
        with pytest.raises(ValueError, match=r"Add.set_(device: device_target|stage: stage) must be"):
            refused()
    assert add.primitive_target == "CPU" and add(Tensor([1.0]), 2.0).item() == 3.0
    assert not hasattr(add.del_prim_attr("primitive_target"), "primitive_target")


def test_attributes_and_names_of_primitives() -> None:
    add = ops.Add().add_prim_attr("attr", 1).set_prim_instance_name("add")
    assert add.attrs == {"attr": 1} and add.attr == 1 and add.instance_name == "add"  # type: ignore[attr-defined]
    assert add.del_prim_attr("attr").attrs == {} and not hasattr(add, "attr")
    add.init_prim_io_names(["x", "y"], ["sum"])
    assert add.input_names == ["x", "y"] and add.output_names == ["sum"]  # type: ignore[attr-defined]
    assert ops.Mul().attrs == {}


@pytest.mark.parametrize("base", [ops.Primitive, ops.PrimitiveWithInfer, ops.PrimitiveWithCheck])
def test_primitives_of_programs(base: type[ops.Primitive]) -> None:
    class Scale(base):  # type: ignore[misc, valid-type]
        @ops.prim_attr_register
        def __init__(self, factor: float, axis: int = 0) -> None:
            self.init_prim_io_names(inputs=["x"], outputs=["y"])

    scale = Scale(2.0)
    assert scale.name == "Scale" and scale.factor == 2.0 and scale.attrs["axis"] == 0 and scale.input_names == ["x"]
    assert repr(scale) == "Prim[Scale]<factor=2.0, axis=0>"
    with pytest.raises(TypeError, match="Scale: a bare Primitive computes nothing"):
        scale(Tensor([1.0]))
