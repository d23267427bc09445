"""Rows of the tables of primitives: what MindSpore 2.10 gives for the same operands, compiled too where it can be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Parameter, Tensor
from graphc import ops as o


def T(values: Any, dtype: Any = None) -> Tensor:  # noqa: N802 (as in the calls below)
    return Tensor(np.array(values, dtype or np.float32))


CALLS: list[tuple[str, bool, list[Any]]] = [  # the call, whether it can be compiled, and its results
    ('o.Bincount()(T([1,2,2,5],np.int32),T(4,np.int32),T([.5,1,2,3]))', True,
     [[0, 0.5, 3, 0]]),
    ('o.Bucketize([1.,3.])(T([[0,1,2],[3,4,1]]))', True,
     [[[0, 1, 1], [2, 2, 1]]]),
    ('o.Coalesce()(T([[0,0,1],[1,1,2]],np.int64),T([1,5,4]),T([3,3],np.int64))', False,
     [[[0, 1], [1, 2]], [6, 4], [3, 3]]),
    ('o.ConfusionMatrix(4)(T([0,1,1,3],np.int32),T([1,2,1,3],np.int32))', True,
     [[[0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]]),
    ("o.ConfusionMatrix(2,'float32')(T([0,1,1],np.int32),T([1,1,1],np.int32),T([.5,2,3]))", True,
     [[[0, 0.5], [0, 5]]]),
    ('o.CumulativeLogsumexp(True,False)(T([1.,2,3]),T(0,np.int32))', True,
     [[-np.inf, 1, 2.31326]]),
    ('o.CumulativeLogsumexp(False,True)(T([1.,2,3]),T(0,np.int32))', True,
     [[3.40761, 3.31326, 3]]),
    ('o.EqualCount()(T([1,2,3],np.int32),T([1,2,4],np.int32))', True,
     [[2]]),
    ('o.FillDiagonal(9.)(T(np.zeros((3,4))))', True,
     [[[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 9, 0]]]),
    ('o.FillDiagonal(9.,True)(T(np.zeros((5,2))))', True,
     [[[9, 0], [0, 9], [0, 0], [9, 0], [0, 9]]]),
    ('o.IndexPut()(T([[1.,2],[3,4]]),T([9.]),[T([0,1],np.int32),T([1,0],np.int32)])', True,
     [[[1, 9], [9, 4]]]),
    ('o.IndexPut(1)(T([[1.,2],[3,4]]),T([9.]),[T([0,0],np.int32),T([1,1],np.int32)])', True,
     [[[1, 20], [3, 4]]]),
    ('o.InplaceUpdateV2()(T([[1.,2],[3,4]]),(0,),T([[9.,8]]))', True,
     [[[9, 8], [3, 4]]]),
    ('o.ListDiff()(T([1,2,3,4],np.int32),T([2,4],np.int32))', False,
     [[1, 3], [0, 2]]),
    ('o.LogSpace(4,10,ms.float32)(T(0.),T(3.))', True,
     [[1, 10, 100, 1000]]),
    ('o.LowerBound()(T([[1.,2,2,4]]),T([[2.,3,5]]))', False,
     [[[1, 3, 4]]]),
    ('o.UpperBound()(T([[1.,2,2,4]]),T([[2.,3,5]]))', True,
     [[[3, 3, 4]]]),
    ('o.Lstsq()(T([[2.,1],[1,3],[1,1]]),T([[3.],[5],[2]]))', True,
     [[[0.76667], [1.4]]]),
    ('o.MatrixTriangularSolve(True,False)(T([[2.,0],[1,3]]),T([[2.],[4]]))', True,
     [[[1], [1]]]),
    ('o.MatrixTriangularSolve(False,True)(T([[2.,1],[0,3]]),T([[2.],[4]]))', True,
     [[[1], [1]]]),
    ('o.MaxPoolWithArgmaxV2((2,2),(1,1))(T(np.arange(9).reshape(1,1,3,3)))', True,
     [[[[[4, 5], [7, 8]]]], [[[[4, 5], [7, 8]]]]]),
    ('o.MaxPool3DWithArgmax(2,1,0)(T(np.arange(8).reshape(1,1,2,2,2)))', True,
     [[[[[[7]]]]], [[[[[7]]]]]]),
    ('o.MaxUnpool2D(1,1,0)(T([[[[0.,1],[8,9]]]]),T([[[[0,1],[2,3]]]],np.int64))', True,
     [[[[[0, 1], [8, 9]]]]]),
    ('o.MaxUnpool2D(2,2,0)(T([[[[5.]]]]),T([[[[2]]]],np.int64))', True,
     [[[[[0, 0], [5, 0]]]]]),
    ('o.Median(False,1,False)(T([[1.,5,3],[4,2,2]]))', True,
     [[3, 2], [2, 2]]),
    ('o.Median(True)(T([[1.,5,3,9]]))', True,
     [3, 0]),
    ('o.Mvlgamma(3)(T([3.,4,5]))', True,
     [[2.69492, 5.40298, 9.14064]]),
    ("o.PadV3('constant')(T([[1.,2]]),T([1,0,0,2],np.int64),T(7.))", False,
     [[[7, 1, 2], [7, 7, 7], [7, 7, 7]]]),
    ("o.PadV3('constant',False)(T([[1.,2]]),T([1,0,0,2],np.int64),T(7.))", False,
     [[[7, 1, 2], [7, 7, 7], [7, 7, 7]]]),
    ("o.PadV3('edge')(T([[[1.,2]]]),T([1,2],np.int64))", False,
     [[[[1, 1, 2, 2, 2]]]]),
    ('o.ParallelConcat()([T([[1.,2]]),T([[3.,4]])])', True,
     [[[1, 2], [3, 4]]]),
    ('o.Polygamma()(T(1,np.int64),T([1.,2]))', True,
     [[1.64493, 0.64493]]),
    ("o.ResizeLinear1D('align_corners')(T([[[1.,2,3]]]),(5,))", True,
     [[[[1, 1.5, 2, 2.5, 3]]]]),
    ("o.ResizeLinear1D('half_pixel')(T([[[1.,2,3]]]),(5,))", True,
     [[[[1, 1.4, 2, 2.6, 3]]]]),
    ('o.SegmentSum()(T([[1.,2],[3,4],[5,6]]),T([0,0,2],np.int64))', False,
     [[[4, 6], [0, 0], [5, 6]]]),
    ('o.SegmentMean()(T([[1.,2],[3,4],[5,6]]),T([0,0,2],np.int64))', False,
     [[[2, 3], [0, 0], [5, 6]]]),
    ('o.SegmentMax()(T([[1.,2],[3,4],[5,6]]),T([0,0,2],np.int64))', False,
     [[[3, 4], [0, 0], [5, 6]]]),
    ('o.SubAndFilter()(T([1,3,5,8,2,16],np.int32),10,5)', False,
     [[0, 3], [2, 3]]),
    ('o.TupleToArray()((1,2,3))', False,
     [[1, 2, 3]]),
    ('o.UnravelIndex()(T([2,5],np.int32),T([3,3],np.int32))', False,
     [[[0, 1], [2, 2]]]),
    ('o.padding(T([[8.],[10]]),3)', True,
     [[[8, 0, 0], [10, 0, 0]]]),
    ('o.unique_with_pad(T([1,1,2,2,3],np.int32),8)', False,
     [[1, 2, 3, 8, 8], [0, 0, 1, 1, 2]]),
    ('o.UnravelIndex()(T(5,np.int32),T([3,3],np.int32))', False,
     [[1, 2]]),
    ('o.CTCGreedyDecoder()(T([[[0.6,0.4,0.2],[0.8,0.6,0.3]],[[0.0,0.6,0.0],[0.5,0.4,0.5]]]),T([2,2],np.int32))', False,
     [[[0, 0], [0, 1], [1, 0]], [0, 1, 0], [2, 2], [[-1.2], [-1.3]]]),
    ('o.CheckNumerics()(T([1.,2]))', False,
     [[1, 2]]),
    ('o.inplace_index_add(Parameter(T([[1.,2],[3,4],[5,6]])),T([0,1],np.int32),T([[.5,1],[1,1.5]]),0)', False,
     [[[1.5, 3], [4, 5.5], [5, 6]]]),
    ('o.ROIAlign(2,2,0.5,2)(T([[[[1.,2],[3,4]]]]),T([[0,.2,.3,.2,.3]]))', True,
     [[[[[1.775, 2.025], [2.275, 2.525]]]]]),
    ('o.ROIAlign(2,2,1.0,2,0)(T(np.arange(25).reshape(1,1,5,5)),T([[0,1,1,3.5,4]]))', True,
     [[[[[10.375, 11.625], [17.875, 19.125]]]]]),
    ('o.ROIAlign(2,3,1.0,3,1)(T(np.arange(25).reshape(1,1,5,5)),T([[0,1,1,3.5,4]]))', True,
     [[[[[11.58333, 12.75, 13.81482], [20.47222, 21.63889, 22.7037]]]]]),
    ('o.bidense(T([[1.,2]]),T([[3.,4]]),T(np.ones((2,2,2))),T([1.,2]))', True,
     [[[22, 23]]]),
    ('o.mvlgamma(T([3.,4,5]),3)', True,
     [[2.69492, 5.40298, 9.14064]]),
    ('o.lu_unpack(T([[4.,3],[.5,1.5]]),T([2,2],np.int32))', True,
     [[[0, 1], [1, 0]], [[1, 0], [0.5, 1]], [[4, 3], [0, 1.5]]]),
    ('o.lu_solve(T([[1.],[2]]),T([[4.,3],[.5,1.5]]),T([2,2],np.int32))', True,
     [[[0.5], [0]]]),
    ('o.DataFormatDimMap()(T([0,1,2,3],np.int32))', True,
     [[0, 3, 1, 2]]),
    ("o.DataFormatVecPermute('NHWC','NCHW')(T([5,6,7,8],np.int32))", True,
     [[5, 8, 6, 7]]),
    ('o.CTCLoss()(T(np.linspace(-1,1,24).reshape(3,2,4)**2*3),T([[0,0],[0,1],[1,0]],np.int64),T([1,0,2],np.int32),'
     'T([3,2],np.int32))', True,
     [[2.7002, 1.88171], [[[0.44461, -0.66008, 0.17148, 0.044], [0.36707, 0.26719, -0.52564, -0.10863]],
      [[-0.32821, 0.01861, 0.23227, 0.07733], [0.22197, 0.23227, -0.35631, -0.09793]], [[-0.40806, 0.20352,
      0.26719, -0.06265], [0, 0, 0, 0]]]]),
    ('o.RGBToHSV()(T([[.2,.4,.1],[.9,.3,.3],[.1,.2,.7],[.5,.5,.5],[0,0,0]]).reshape(1,1,5,3))', True,
     [[[[[0.27778, 0.75, 0.4], [0, 0.66667, 0.9], [0.63889, 0.85714, 0.7], [0, 0, 0.5], [0, 0, 0]]]]]),
    ('o.HSVToRGB()(T([[.2,.4,.1],[.9,.3,.3],[.1,.2,.7],[.5,.5,.5],[0,0,0]]).reshape(1,1,5,3))', True,
     [[[[[0.092, 0.1, 0.06], [0.3, 0.21, 0.264], [0.7, 0.644, 0.56], [0.25, 0.5, 0.5], [0, 0, 0]]]]]),
    ('o.AdjustHue()(T([[.2,.4,.1],[.9,.3,.3],[.1,.2,.7],[.5,.5,.5]]).reshape(1,4,3),T(.3))', True,
     [[[[0.1, 0.26, 0.4], [0.42, 0.9, 0.3], [0.7, 0.1, 0.32], [0.5, 0.5, 0.5]]]]),
    ('o.AdjustSaturation()(T([[.2,.4,.1],[.9,.3,.3],[.1,.2,.7],[.5,.5,.5]]).reshape(1,4,3),T(1.5))', True,
     [[[[0.13333, 0.4, 0], [0.9, 0, 0], [0, 0.11667, 0.7], [0.5, 0.5, 0.5]]]]),
    ('o.PopulationCount()(T([0,1,3,-1,255],np.int16))', True,
     [[0, 1, 2, 16, 8]]),
    ('o.sparse_segment_mean(T(np.arange(12).reshape(4,3)),T([0,2,3,1],np.int32),T([0,2,2,3],np.int32))', True,
     [[[0, 1, 2], [0, 0, 0], [7.5, 8.5, 9.5], [3, 4, 5]]]),
    ('o.NoRepeatNGram(2)(T([[[1,2,1,3,1]]],np.int32),T([[[.1,.2,.3,.4]]]))', True,
     [[[[0.1, 0.2, -3.4028235e38, -3.4028235e38]]]]),
    ('o.SparseTensorDenseAdd()(T([[0,1]],np.int64),T([2.]),T([2,2],np.int64),T([[1,2],[3,4]]))', True,
     [[[1, 4], [3, 4]]]),
    ('o.SparseTensorDenseMatmul(adjoint_st=True)(T([[0,1],[1,0]],np.int64),T([2.,3.]),T([2,3],np.int64),'
     'T([[1,2],[3,4]]))', True,
     [[[9, 12], [2, 4], [0, 0]]]),
    ('o.SparseToDense()(T([[0,1]],np.int64),T([2.]),(2,2))', True,
     [[[0, 2], [0, 0]]]),
    ('o.Argmax(1)(T([[1.,3,2],[4,0,5]]))', True,
     [[1, 2]]),
    ('o.Argmin(0)(T([[1.,3,2],[4,0,5]]))', True,
     [[0, 1, 0]]),
    ('o.Conv2D(1,3)(T(np.arange(32).reshape(1,2,4,4)),T(np.arange(18).reshape(1,2,3,3)-9))', True,
     [[[[[687, 678], [651, 642]]]]]),
    ("o.Conv2D(2,3,pad_mode='same',stride=2,group=2)(T(np.arange(32).reshape(1,2,4,4)),"
     "T(np.arange(18).reshape(2,1,3,3)-9))", True,
     [[[[[-147, -165], [-407, -337]], [[834, 522], [427, 241]]]]]),
    ('o.Conv3D(1,(1,2,2))(T(np.arange(12).reshape(1,1,2,2,3)),T([[[[[1.,2],[3,4]]]]]))', True,
     [[[[[[27, 37]], [[87, 97]]]]]]),
    ('o.MaxPool(2,2)(T(np.arange(32).reshape(1,2,4,4)))', True,
     [[[[[5, 7], [13, 15]], [[21, 23], [29, 31]]]]]),
    ("o.AvgPool(3,2,'same')(T(np.arange(32).reshape(1,2,4,4)))", True,
     [[[[[5, 6.5], [11, 12.5]], [[21, 22.5], [27, 28.5]]]]]),
    ('o.SoftmaxCrossEntropyWithLogits()(T([[1.,2,3],[0,0,1]]),T([[0,0,1.],[1,0,0]]))', True,
     [[0.407606, 1.55144], [[0.0900306, 0.244728, -0.334759], [-0.788058, 0.211942, 0.576117]]]),
    ('o.NLLLoss()(T([[-1.,-2,-3],[-2,-1,-4]]),T([2,0],np.int32),T([1.,2,3]))', True,
     [2.75, 4]),
    ("o.NLLLoss('none',0)(T([[-1.,-2,-3],[-2,-1,-4]]),T([2,0],np.int32),T([1.,2,3]))", True,
     [[9, 0], 3]),
    ('o.ResizeBilinearV2()(T([[[[1.,2],[3,4]]]]),(3,3))', True,
     [[[[[1, 1.66667, 2], [2.33333, 3, 3.33333], [3, 3.66667, 4]]]]]),
    ('o.ResizeBilinearV2(True)(T([[[[1.,2],[3,4]]]]),(3,3))', True,
     [[[[[1, 1.5, 2], [2, 2.5, 3], [3, 3.5, 4]]]]]),
    ('o.ResizeBilinearV2(False,True)(T([[[[1.,2],[3,4]]]]),(3,3))', True,
     [[[[[1, 1.5, 2], [2, 2.5, 3], [3, 3.5, 4]]]]]),
    ('o.ResizeNearestNeighbor((3,3))(T([[[[1.,2],[3,4]]]]))', True,
     [[[[[1, 1, 2], [1, 1, 2], [3, 3, 4]]]]]),
    ('o.Unstack(1)(T([[1.,2],[3,4]]))', True,
     [[1, 3], [2, 4]]),
    ('o.UpsampleNearest3D()(T([[[[[1.,2],[3,4]]]]]),[1,4,3],None)', True,
     [[[[[[1, 1, 2], [1, 1, 2], [3, 3, 4], [3, 3, 4]]]]]]),
    ('o.UpsampleTrilinear3D(True)(T([[[[[1.,2],[3,4]]]]]),[2,3,3],None)', True,
     [[[[[[1, 1.5, 2], [2, 2.5, 3], [3, 3.5, 4]], [[1, 1.5, 2], [2, 2.5, 3], [3, 3.5, 4]]]]]]),
    ('o.UpsampleTrilinear3D()(T([[[[[1.,2],[3,4]]]]]),None,[2.,1.,2.])', True,
     [[[[[[1, 1.25, 1.75, 2], [3, 3.25, 3.75, 4]], [[1, 1.25, 1.75, 2], [3, 3.25, 3.75, 4]]]]]]),
    ('o.BlackmanWindow()(T(5,np.int32))', True,
     [[0, 0.20077, 0.84923, 0.84923, 0.20077]]),
    ('o.BlackmanWindow(False)(T(5,np.int32))', True,
     [[0, 0.34, 1, 0.34, 0]]),
    ('o.BartlettWindow(False)(T(5,np.int32))', True,
     [[0, 0.5, 1, 0.5, 0]]),
    ('o.HammingWindow(False,.5,.5)(T([5],np.int64))', True,
     [[0, 0.5, 1, 0.5, 0]]),
    ('o.TridiagonalMatMul()(T([[1.,2,9]]),T([[4.,5,6]]),T([[9.,7,8]]),T([[1.,2],[3,4],[5,6]]))', True,
     [[[7, 12], [32, 46], [54, 68]]]),
    ("o.GridSampler2D('bilinear','reflection',False)(T([[[[1.,2],[3,4]]]]),T([[[[-1.5,0],[.9,1.25]]]]))", True,
     [[[[[2, 4]]]]]),
]  # fmt: skip


def results(call: str) -> list[np.ndarray]:
    found = eval(call, {"o": o, "T": T, "np": np, "ms": ms, "Parameter": Parameter})
    return [t.asnumpy() for t in (found if isinstance(found, tuple) else (found,))]


@pytest.mark.parametrize(("call", "compiles", "wanted"), CALLS, ids=[call[2:40] for call, _, _ in CALLS])
def test_as_mindspore(call: str, compiles: bool, wanted: list[Any]) -> None:
    ms.set_context(mode=ms.PYNATIVE_MODE)
    found = results(call)
    assert len(found) == len(wanted)
    for array, values in zip(found, wanted, strict=True):
        assert array.shape == np.shape(values) or not array.size
        np.testing.assert_allclose(array, np.array(values).reshape(array.shape), rtol=2e-5, atol=2e-5)
    if compiles:
        compiled = ms.jit(lambda: eval(call, {"o": o, "T": T, "np": np, "ms": ms, "Parameter": Parameter}))()
        for array, other in zip(found, compiled if isinstance(compiled, tuple) else (compiled,), strict=True):
            np.testing.assert_array_equal(array, other.asnumpy())


def test_batch_norm_keeps_moving_statistics() -> None:
    x, scale, bias = T(np.arange(24).reshape(2, 3, 2, 2)), T([1, 1, 2]), T([0, 1, 0])
    norm, plain = o.BatchNorm(True, 1e-5, 0.1), o.BatchNorm()
    for mode in (ms.PYNATIVE_MODE, ms.GRAPH_MODE):
        ms.set_context(mode=mode)
        mean, variance = Parameter(T([1, 2, 3]), "mean"), Parameter(T([2, 3, 4]), "variance")
        y, _, _, center, spread = ms.jit(norm)(x, scale, bias, mean, variance)
        np.testing.assert_allclose(y.asnumpy()[0, :, 0, 0], [-1.22885, -0.22885, -2.4577], rtol=1e-5)
        np.testing.assert_allclose(center.asnumpy(), [7.5, 11.5, 15.5])
        np.testing.assert_allclose(spread.asnumpy(), [37.25] * 3)
        np.testing.assert_allclose(mean.asnumpy(), [1.65, 2.95, 4.25], rtol=1e-6)
        np.testing.assert_allclose(variance.asnumpy(), [6.05714, 6.95714, 7.85714], rtol=1e-6)
        after = plain(x, scale, bias, mean, variance)[0].asnumpy()
        np.testing.assert_allclose(after[0, :, 0, 0], [-0.67042, 1.39808, 2.67565], rtol=1e-5)
    with pytest.raises(TypeError, match="must be Parameters"):
        norm(x, scale, bias, T([1, 2, 3]), T([2, 3, 4]))


def test_regions_have_slopes() -> None:
    align = o.ROIAlign(2, 2, 1.0, 2)
    features, regions = np.random.RandomState(0).rand(1, 1, 5, 5), T([[0, 0.6, 0.7, 2.3, 2.9]], np.float64)
    slope = ms.grad(lambda x: (align(x, regions) * T([[[[1, 2], [3, 4]]]], np.float64)).sum())(T(features, np.float64))
    for at in ((1, 1), (2, 3)):
        moved = features.copy()
        moved[0, 0, at[0], at[1]] += 1e-3
        weights = np.array([[1, 2], [3, 4]])
        change = (align(T(moved, np.float64), regions) - align(T(features, np.float64), regions)).asnumpy()[0, 0]
        np.testing.assert_allclose(slope.asnumpy()[0, 0, at[0], at[1]], (change * weights).sum() / 1e-3, rtol=1e-6)
    outside = align(T(np.ones((1, 1, 5, 5))), T([[0, 20, 20, 30, 30]]))
    assert not outside.asnumpy().any()


@pytest.mark.parametrize("mode", [ms.PYNATIVE_MODE, ms.GRAPH_MODE])
def test_draws(mode: int) -> None:
    ms.set_context(mode=mode)
    ms.set_seed(3)
    shapes = np.array([0.3, 1.0, 4.5])
    drawn = ms.jit(lambda: o.random_gamma((20000,), T(shapes)))().asnumpy()
    assert drawn.shape == (20000, 3) and (drawn >= 0).all()
    np.testing.assert_allclose(drawn.mean(0), shapes, rtol=0.05)
    np.testing.assert_allclose(drawn.var(0), shapes, rtol=0.12)
    scaled = o.gamma((20000, 1, 1), T([2.0]), T([[1.0], [4.0]])).asnumpy()
    assert scaled.shape == (20000, 2, 1)
    np.testing.assert_allclose(scaled.mean(0)[:, 0], [2.0, 0.5], rtol=0.05)
    mask = np.zeros((4, 5), bool)
    mask[[0, 1, 3], [4, 2, 0]] = True
    for _ in range(5):
        places, there = o.choice_with_mask(Tensor(mask), 2)
        assert there.asnumpy().all() and len({tuple(p) for p in places.asnumpy().tolist()}) == 2
        assert all(mask[tuple(p)] for p in places.asnumpy().tolist())
    places, there = o.RandomChoiceWithMask(30)(Tensor(mask))
    assert places.shape == (30, 2) and there.asnumpy().sum() == 3 and not places.asnumpy()[3:].any()
    assert sorted(map(tuple, places.asnumpy()[:3].tolist())) == [(0, 4), (1, 2), (3, 0)]


def test_factors_of_batches() -> None:
    rng = np.random.RandomState(1)
    data, pivots = rng.rand(2, 3, 3) + np.eye(3), np.array([[3, 2, 3], [2, 3, 3]], np.int32)
    p, lower, upper = (t.asnumpy() for t in o.lu_unpack(T(data, np.float64), T(pivots, np.int32)))
    matrix = p @ lower @ upper
    b = rng.rand(2, 3, 2)
    solved = o.lu_solve(T(b, np.float64), T(data, np.float64), T(pivots, np.int32)).asnumpy()
    np.testing.assert_allclose(matrix @ solved, b, rtol=1e-10)
    np.testing.assert_array_equal(p[0] @ np.arange(3), [2, 1, 0])
    np.testing.assert_array_equal(p.sum(1), np.ones((2, 3)))
    wide = o.LuUnpack(True, False)(T(rng.rand(2, 4), np.float64), T([1, 2], np.int32))
    assert [t.shape for t in wide] == [(2, 2), (2, 4)]
    slope = ms.grad(lambda m: o.lu_solve(T(b, np.float64), m, T(pivots, np.int32)).sum())(T(data, np.float64))
    moved = data.copy()
    moved[0, 1, 2] += 1e-6
    change = o.lu_solve(T(b, np.float64), T(moved, np.float64), T(pivots, np.int32)).asnumpy().sum() - solved.sum()
    np.testing.assert_allclose(slope.asnumpy()[0, 1, 2], change / 1e-6, rtol=1e-7)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: o.ROIAlign(2, 2, 1.0, 0)(T(np.ones((1, 1, 2, 2))), T([[0, 0, 0, 1, 1]])), ValueError),
        (lambda: o.ROIAlign(2, 2, 1.0)(T(np.ones((1, 2, 2))), T([[0, 0, 0, 1, 1]])), ValueError),
        (lambda: o.CheckNumerics()(T([np.nan])), RuntimeError),
        (lambda: o.ConfusionMatrix(2)(T([0, 2], np.int32), T([0, 1], np.int32)), IndexError),
        (lambda: o.ConfusionMatrix(2)(T([0, 1], np.int32), T([0], np.int32)), ValueError),
        (lambda: o.coalesce(T([[0, 3]], np.int64), T([1, 2]), T([3], np.int64)), IndexError),
        (lambda: o.coalesce(T([[0, 2]], np.int64), T([1]), T([3], np.int64)), ValueError),
        (lambda: o.FillDiagonal(1.0)(T([1, 2])), ValueError),
        (lambda: o.PadV3("around")(T([[1.0]]), T([1, 1], np.int64)), ValueError),
        (lambda: o.DataFormatDimMap("NHWC", "NCDW")(T([1], np.int32)), ValueError),
        (lambda: o.ResizeLinear1D("asymmetric")(T([[[1, 2]]]), (3,)), ValueError),
        (lambda: o.UpsampleNearest3D()(T(np.ones((1, 1, 2, 2, 2)))), ValueError),
        (lambda: o.mvlgamma(T([3.0]), 0), ValueError),
        (lambda: o.mvlgamma(T([3.0]), 1.5), TypeError),
        (lambda: o.eps(T([1], np.int32)), TypeError),
        (lambda: o.padding(T([[1.0, 2.0]])), ValueError),
        (lambda: o.unique_with_pad(T([[1]], np.int32), 0), ValueError),
        (lambda: o.lu_unpack(T([[1.0]]), T([1.0])), ValueError),
        (lambda: o.bidense(T([[1.0]]), T([[1.0]]), T([[1.0]])), ValueError),
        (lambda: o.choice_with_mask(T([1.0])), ValueError),
        (lambda: o.ctc_greedy_decoder(T([[[1.0]]]), T([2], np.int32)), ValueError),
        (lambda: o.logcumsumexp(T([1], np.int32), 0), TypeError),
    ],
)
def test_errors(call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


def test_methods_are_the_functions() -> None:
    x, y = T([12, 18, 7], np.int32), T([8, 27, 0], np.int32)
    assert x.gcd(y).asnumpy().tolist() == [4, 9, 7] == ms.mint.gcd(x, y).asnumpy().tolist()
    assert x.lcm(y).asnumpy().tolist() == [24, 54, 0]
    np.testing.assert_array_equal(T([3.0]).mvlgamma(2).asnumpy(), o.mvlgamma(T([3.0]), 2).asnumpy())
    np.testing.assert_array_equal(T([1.0, 2.0]).logcumsumexp(0).asnumpy(), o.logcumsumexp(T([1.0, 2.0]), 0).asnumpy())
    assert T([2, 2], np.int32).unique_with_pad(9)[0].asnumpy().tolist() == [2, 9]
    solved = T([[1.0], [2.0]]).lu_solve(T([[4.0, 3.0], [0.5, 1.5]]), T([2, 2], np.int32))
    np.testing.assert_allclose(solved.asnumpy(), [[0.5], [0.0]], atol=1e-6)


def test_numbers_of_a_dtype_and_straight_lines() -> None:
    assert o.scalar_cast(255.7, ms.int64) == 255 == o.ScalarCast()(255, ms.int32) and o.scalar_cast(2, ms.bool_) is True
    with pytest.raises(TypeError, match="expected a number"):
        o.scalar_cast(T([1.0]), ms.int32)
    value, along = o.linearize(lambda x, y: x * y, (T([1.0, 2.0]), T([3.0, 4.0])))
    assert value.asnumpy().tolist() == [3, 8]
    assert along((T([1.0, 0.0]), T([0.0, 1.0]))).asnumpy().tolist() == [3, 2]


def test_what_colours_and_sequences_must_be() -> None:
    for call, error in (
        (lambda: o.RGBToHSV()(T([1.0, 2.0])), ValueError),
        (lambda: o.population_count(T([1.0])), TypeError),
        (lambda: o.sparse_segment_mean(T([[1.0]]), T([0, 0], np.int32), T([1, 0], np.int32)), ValueError),
        (lambda: o.NoRepeatNGram(9)(T([[[1, 2]]], np.int32), T([[[0.1]]])), ValueError),
        (lambda: o.CTCLoss()(T([[1.0]]), T([[0, 0]], np.int64), T([0], np.int32), T([1], np.int32)), ValueError),
    ):
        with pytest.raises(error):
            call()


def test_dynamic_rnn_is_an_lstm() -> None:
    rng = np.random.default_rng(0)
    lstm = ms.nn.LSTM(3, 4)
    x, h, c = (Tensor(rng.normal(size=s).astype("f")) for s in ((5, 2, 3), (1, 2, 4), (1, 2, 4)))
    wanted, (last_h, last_c) = lstm(x, (h, c))
    parts = [p.asnumpy().reshape(4, 4, -1)[[0, 2, 1, 3]].reshape(16, -1) for p in lstm.get_parameters()]  # i, j, f, o
    w = Tensor(np.concatenate(parts[:2], 1).T.copy())
    b = Tensor((parts[2] + parts[3])[:, 0])
    rnn = o.DynamicRNN()
    for call in (rnn, ms.jit(lambda *a: rnn(*a))):
        y, all_h, all_c, enter, new, forget, leave, bounded = (t.asnumpy() for t in call(x, w, b, None, h, c))
        np.testing.assert_allclose(y, wanted.asnumpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(y, all_h)
        np.testing.assert_allclose(all_h[-1:], last_h.asnumpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(all_c[-1:], last_c.asnumpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(leave * bounded, y)
        before = np.concatenate([c.asnumpy(), all_c[:-1]])
        np.testing.assert_allclose(forget * before + enter * new, all_c, rtol=1e-6)
    biased = o.DynamicRNN(forget_bias=1.0)(x, w, b, None, h, c)[5].asnumpy()[0]
    np.testing.assert_allclose(np.log(biased / (1 - biased)), np.log(forget[0] / (1 - forget[0])) + 1, rtol=1e-4)
    slope = ms.grad(lambda w: rnn(x, w, b, None, h, c)[0].sum())(w).asnumpy()
    step = np.zeros(w.shape, "f")
    step[1, 2] = step[5, 9] = 1e-2
    ends = [rnn(x, w + s * Tensor(step), b, None, h, c)[0].sum().item() for s in (1, -1)]
    assert (slope * step).sum() == pytest.approx((ends[0] - ends[1]) / 2, rel=1e-2)
    half = rnn(*(t.astype(ms.float16) for t in (x, w, b)))  # zeros for the states
    assert all(t.dtype == ms.float16 and t.shape == (5, 2, 4) for t in half) and len(half) == 8
    with pytest.raises(ValueError, match=r"cell_clip must be -1\.0, got 3\.0"):
        o.DynamicRNN(cell_clip=3.0)(x, w, b)
    with pytest.raises(ValueError, match=r"w \[I \+ H, 4 \* H\] and b \[4 \* H\], got f32\[5,2,3\]"):
        rnn(x, w[1:], b)
