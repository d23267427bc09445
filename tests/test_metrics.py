"""Metrics, against values worked out by hand or printed by MindSpore 2.10."""

import itertools
import math

import numpy as np
import pytest

from graphc import nn
from graphc.tensor import Tensor
from graphc.train import metrics
from graphc.train.metrics import get_metric_fn, get_metrics, names

SCORES = Tensor(np.array([[0.2, 0.5], [0.3, 0.1], [0.9, 0.6]], np.float32))
LABELS = Tensor(np.array([1, 0, 1], np.int32))
SETS = Tensor(np.array([[0, 1, 1], [1, 0, 1], [0, 0, 1]]))
TRUE_SETS = Tensor(np.array([[0, 1, 0], [1, 0, 1], [0, 0, 1]]))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.Accuracy(), 2 / 3),
        (metrics.Precision(), [0.5, 1.0]),
        (metrics.Recall(), [1.0, 0.5]),
        (metrics.F1(), [2 / 3, 2 / 3]),
        (metrics.Fbeta(2), [5 / 6, 5 / 9]),
        (metrics.Top1CategoricalAccuracy(), 2 / 3),
        (metrics.TopKCategoricalAccuracy(2), 1.0),
        (metrics.Perplexity(), (0.5 * 0.3 * 0.6) ** (-1 / 3)),
        (metrics.Perplexity(0), (0.5 * 0.6) ** (-1 / 2)),
        (metrics.ConfusionMatrix(2), [[1, 0], [1, 1]]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, metrics.Metric) else "",
)
def test_classification(metric, expected):
    np.testing.assert_allclose(metric(SCORES, LABELS), expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("metric", "expected", "average"),
    [
        (metrics.Precision("multilabel"), [0.5, 1.0, 1.0], 5 / 6),
        (metrics.Recall("multilabel"), [1.0, 1.0, 1.0], 1.0),
    ],
)
def test_multilabel(metric, expected, average):
    metric.update(SETS, TRUE_SETS)
    np.testing.assert_array_equal(metric.eval(), expected)
    assert metric.eval(True) == pytest.approx(average, rel=1e-15)
    metric.update(SETS, TRUE_SETS)
    assert len(metric.eval()) == 6
    assert metric.eval(True) == pytest.approx(average, rel=1e-15)


def test_multilabel_accuracy_wants_every_label_right():
    assert metrics.Accuracy("multilabel")(SETS, TRUE_SETS) == 2 / 3


def test_one_hot_labels():
    one_hot = np.eye(2)[[1, 0, 1]]
    for metric in (metrics.Accuracy(), metrics.Top1CategoricalAccuracy()):
        assert metric(SCORES, one_hot) == 2 / 3
    np.testing.assert_array_equal(metrics.Recall()(SCORES, one_hot), [1.0, 0.5])


def test_dense_predictions():
    """Predictions [N, C, H]: every position counts."""
    scores = np.zeros((2, 3, 4))
    scores[:, 1] = 1
    labels = np.array([[1, 1, 1, 0], [1, 2, 1, 1]])
    assert metrics.Accuracy()(scores, labels) == 6 / 8
    np.testing.assert_array_equal(metrics.Recall()(scores, labels), [0, 1, 0])


def test_a_class_never_predicted_has_precision_0():
    np.testing.assert_array_equal(metrics.Precision()(np.array([[1.0, 0.0]]), [1]), [0, 0])


def test_errors_are_per_sample():
    predicted, actual = Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([[0.0, 2.0], [3.0, 6.0]])
    assert metrics.MAE()(predicted, actual) == 1.5
    assert metrics.MSE()(predicted, actual) == 2.5


def test_batches_accumulate_and_clear_forgets():
    metric = metrics.Accuracy()
    metric.update(SCORES, LABELS)
    metric.update(SCORES, Tensor([0, 1, 1]))
    assert metric.eval() == 2 / 6
    metric.clear()
    metric.update(SCORES, LABELS)
    assert metric.eval() == 2 / 3


def test_loss_is_the_mean_over_batches():
    metric = metrics.Loss()
    for loss in (Tensor(1.0), Tensor([2.0, 4.0])):
        metric.update(loss)
    assert metric.eval() == 2.0


def test_top_k_of_equal_scores_takes_the_first():
    metric = metrics.TopKCategoricalAccuracy(1)
    assert metric(np.array([[0.5, 0.5]]), [0]) == 1
    assert metric(np.array([[0.5, 0.5]]), [1]) == 0


@pytest.mark.parametrize(
    ("normalize", "expected"),
    [
        ("no_norm", [[1, 0, 0], [0, 1, 0], [0, 1, 1]]),
        ("target", [[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5]]),
        ("prediction", [[1, 0, 0], [0, 0.5, 0], [0, 0.5, 1]]),
        ("all", [[0.25, 0, 0], [0, 0.25, 0], [0, 0.25, 0.25]]),
    ],
)
def test_confusion_matrix(normalize, expected):
    metric = metrics.ConfusionMatrix(3, normalize)
    np.testing.assert_array_equal(metric(Tensor([0, 1, 1, 2]), Tensor([0, 1, 2, 2])), expected)


def test_confusion_matrix_of_probabilities():
    metric = metrics.ConfusionMatrix(2, threshold=0.6)
    np.testing.assert_array_equal(metric(Tensor([0.2, 0.6, 0.5]), Tensor([0, 1, 1])), [[1, 0], [1, 1]])


def test_cosine_similarity():
    rows = np.array([[1, 3, 4, 7], [2, 4, 2, 5], [3, 1, 5, 8]])
    similarity = metrics.CosineSimilarity()(rows)
    np.testing.assert_allclose(similarity[0], [0, 0.94025615, 0.95162452], rtol=1e-8)
    np.testing.assert_array_equal(similarity, similarity.T)
    mean = metrics.CosineSimilarity("dot", "mean", zero_diagonal=False)(rows)
    np.testing.assert_allclose(mean, [214 / 3, 166 / 3, 241 / 3], rtol=1e-15)


@pytest.mark.parametrize(("distance", "expected"), [("euclidean", 1.0), ("chessboard", 2 / 3), ("taxicab", 5 / 3)])
def test_root_mean_square_distance(distance, expected):
    """The mean of the squared distances is `expected`."""
    predicted = np.array([[3, 0, 1], [1, 3, 0], [1, 0, 2]])
    actual = np.array([[0, 2, 1], [1, 2, 1], [0, 0, 1]])
    metric = metrics.RootMeanSquareDistance(distance_metric=distance)
    assert metric(predicted, actual, 0) == pytest.approx(math.sqrt(expected), rel=1e-12)
    assert metric(predicted, np.zeros((3, 3)), 1) == math.inf


def test_root_mean_square_distance_of_squares():
    """A filled square has its border as surface; shifted by two, each point is at most two away."""
    predicted, actual = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    predicted[1:6, 1:6] = True
    actual[1:6, 3:8] = True
    metric = metrics.RootMeanSquareDistance(symmetric=True)
    there, back = metric(predicted, actual, 1), metric(actual, predicted, 1)
    assert there == back
    assert 0 < there <= 2
    assert metric(predicted, predicted, 1) == 0


def test_distances_of_surfaces_as_mindspore():
    """Its values, for two regions drawn at random."""
    r = np.random.RandomState(0)
    predicted, actual = (r.rand(9, 11) > 0.4).astype(int), (r.rand(9, 11) > 0.5).astype(int)
    expected = {
        "euclidean": [(0.40753, 2.23607), (0.42253, 1.41421)], "chessboard": [(0.4, 2.0), (0.40909, 1.0)],
        "taxicab": [(0.41818, 3.0), (0.44545, 2.0)],
    }  # fmt: skip
    for distance, pairs in expected.items():
        for flag, (mean, greatest) in zip((False, True), pairs, strict=True):
            found = metrics.MeanSurfaceDistance(flag, distance)(predicted, actual, 1)
            assert found == pytest.approx(mean, abs=1e-5)
            directed = metrics.HausdorffDistance(distance, None, flag)
            assert directed(predicted, actual, 1) == pytest.approx(greatest, abs=1e-5)
    most = metrics.HausdorffDistance(percentile=90.0)(predicted, actual, 1)
    assert 0 < most <= 2.23607
    assert metrics.HausdorffDistance()(predicted, predicted, 1) == 0
    assert metrics.MeanSurfaceDistance()(predicted, np.zeros((9, 11)), 1) == math.inf
    for mistake, error in (
        (lambda: metrics.HausdorffDistance(percentile=101.0), ValueError),
        (lambda: metrics.HausdorffDistance(percentile=90), TypeError),
        (lambda: metrics.MeanSurfaceDistance(1), TypeError),
        (lambda: metrics.MeanSurfaceDistance(distance_metric="far"), ValueError),
        (lambda: metrics.HausdorffDistance()(predicted, actual[1:], 1), ValueError),
        (lambda: metrics.HausdorffDistance()(predicted, actual, 7), ValueError),
    ):
        with pytest.raises(error):
            mistake()


def test_bleu_as_mindspore():
    translations = [["i", "have", "a", "pen", "on", "my", "desk"], ["he", "runs"]]
    references = [
        [["i", "have", "a", "pen", "in", "my", "desk"], ["there", "is", "a", "pen", "on", "the", "desk"]],
        [["he", "runs", "fast"], ["he", "runs"]],
    ]
    plain, smooth = [1.0, 0.92582, 0.80119, 0.59881], [1.0, 0.93541, 0.83555, 0.69502]
    for n in range(1, 5):
        assert metrics.BleuScore(n)(translations, references) == pytest.approx(plain[n - 1], abs=1e-5)
        assert metrics.BleuScore(n, True)(translations, references) == pytest.approx(smooth[n - 1], abs=1e-5)
    assert metrics.BleuScore(2)([["he"]], [[["he", "runs"]]]) == 0.0
    assert metrics.BleuScore(1)([["he"]], [[["he", "runs"]]]) == pytest.approx(math.exp(-1))
    for mistake, error in (
        (lambda: metrics.BleuScore(5), ValueError), (lambda: metrics.BleuScore(True), TypeError),
        (lambda: metrics.BleuScore(4, 1), TypeError), (lambda: metrics.BleuScore().eval(), RuntimeError),
        (lambda: metrics.BleuScore()([["he"]], []), ValueError),
    ):  # fmt: skip
        with pytest.raises(error):
            mistake()


def test_roc_and_auc():
    metric = metrics.ROC(pos_label=2)
    false, true, thresholds = metric(np.array([3, 1, 4, 2]), np.array([0, 1, 2, 3]))
    np.testing.assert_allclose(false, [0, 0, 1 / 3, 2 / 3, 1])
    np.testing.assert_array_equal(true, [0, 1, 1, 1, 1])
    np.testing.assert_array_equal(thresholds, [5, 4, 3, 2, 1])
    assert metrics.auc(false, true) == 1.0
    assert metrics.auc(false[::-1], true[::-1]) == 1.0


def test_roc_of_classes_joins_batches():
    scores = np.array([[0.28, 0.55], [0.10, 0.20], [0.20, 0.05], [0.05, 0.75]])
    whole, halves = metrics.ROC(class_num=2), metrics.ROC(class_num=2)
    whole.update(scores, [0, 1, 0, 1])
    halves.update(scores[:2], [0, 1])
    halves.update(scores[2:], [0, 1])
    for one, other in zip(whole.eval(), halves.eval(), strict=True):
        for c in range(2):
            np.testing.assert_array_equal(one[c], other[c])
    np.testing.assert_array_equal(whole.eval()[1][0], [0, 0.5, 1, 1, 1])


def test_auc_sorts_when_asked():
    x, y = np.array([0.0, 1.0, 0.5]), np.array([0.0, 1.0, 1.0])
    assert metrics.auc(x, y, reorder=True) == 0.75
    with pytest.raises(ValueError, match="rise or fall"):
        metrics.auc(x, y)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.Accuracy("binary"), TypeError, "eval_type.*'binary'"),
        (lambda: metrics.Accuracy()(SCORES), ValueError, "expected 2 inputs.*got 1"),
        (lambda: metrics.Accuracy()(SCORES, Tensor([1, 0])), ValueError, r"\(3, 2\) and \(2,\)"),
        (lambda: metrics.Accuracy()(1.0, 2), TypeError, "got float"),
        (lambda: metrics.Accuracy("multilabel")(SCORES, SCORES), ValueError, "zeros and ones"),
        (lambda: metrics.Accuracy().eval(), RuntimeError, "call update first"),
        (lambda: metrics.Precision()(SCORES, Tensor([0, 2, 1])), ValueError, "classes 0 to 1, got 2"),
        (lambda: metrics.ConfusionMatrix(2)(Tensor([0, 1]), Tensor([0, -1])), ValueError, "classes 0 to 1, got -1"),
        (lambda: metrics.ConfusionMatrix(2, "rows"), ValueError, "normalize.*'rows'"),
        (lambda: metrics.Top5CategoricalAccuracy()(SCORES, LABELS), ValueError, "C >= 5"),
        (lambda: metrics.Fbeta(0), ValueError, "greater than 0"),
        (lambda: metrics.Loss()(Tensor([[1.0]])), ValueError, "rank 0 or 1"),
        (lambda: metrics.MAE()(Tensor([1.0]), Tensor([1.0, 2.0])), ValueError, "one shape"),
        (lambda: metrics.CosineSimilarity()(np.zeros((2, 2))), ValueError, "zeros"),
        (lambda: metrics.ROC()(np.array([0.1]), np.array([1])), ValueError, "no negative"),
        (lambda: get_metric_fn("accuracies"), KeyError, "accuracies"),
        (lambda: get_metrics({"acc": 3}), TypeError, "'acc': int"),
        (lambda: get_metrics("acc"), TypeError, "expected names"),
    ],
)
def test_wrong_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_classes_may_not_change_between_batches():
    metric = metrics.Precision()
    metric.update(SCORES, LABELS)
    before = metric.eval().copy()
    with pytest.raises(ValueError, match="2 classes so far, got 3"):
        metric.update(np.eye(3), [0, 1, 2])
    np.testing.assert_array_equal(metric.eval(), before)


def test_dice_adds_up_batches_and_divides_by_samples():
    metric, total = metrics.Dice(), 0.0
    rng = np.random.default_rng(4)
    for _ in range(2):
        p, y = rng.random((3, 5)), (rng.random((3, 5)) < 0.5).astype(float)
        metric.update(p, y)
        total += 2 * (p * y).sum() / ((p * p).sum() + (y * y).sum() + 1e-5)
    assert metric.eval() == pytest.approx(total / 6, rel=1e-12)
    with pytest.raises(ValueError, match="one shape"):
        metric.update(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="smooth"):
        metrics.Dice(smooth=0)


def test_metrics_are_found_in_nn_too():
    assert nn.Dice is metrics.Dice and nn.get_metric_fn is get_metric_fn and nn.names() == names()
    assert nn.auc is metrics.auc and nn.get_metrics is get_metrics
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        nn.nothing_of_this_name  # noqa: B018 (looking it up is the test)


def test_metrics_by_name():
    assert {"acc", "accuracy", "loss", "F1", "top_5_accuracy"} <= set(names())
    for name in names():
        arguments = {"topk": [1], "confusion_matrix": [2]}.get(name, [])
        assert isinstance(get_metric_fn(name, *arguments), metrics.Metric)
    found = get_metrics({"loss", "acc"})
    assert list(found) == ["acc", "loss"]
    assert isinstance(found["acc"], metrics.Accuracy)
    assert list(get_metrics(["loss", "acc"])) == ["loss", "acc"]
    assert get_metrics(None) == {}


class _Largest(metrics.Metric):
    def clear(self):
        self.value = -math.inf

    @metrics.rearrange_inputs
    def update(self, *inputs):
        self.value = max(self.value, float(self._convert_data(inputs[0]).max()))

    def eval(self):
        return self.value


def test_a_metric_of_ones_own_with_indexes():
    metric = _Largest().set_indexes([1])
    assert metric(Tensor([5.0]), Tensor([2.0])) == 2.0
    with pytest.raises(ValueError, match=r"indexes \[1\] choose from 1"):
        metric.update(Tensor([5.0]))
    with pytest.raises(ValueError, match="list of ints"):
        metric.set_indexes((1,))


RATES = {  # as MindSpore gives them: for all batches, then for samples; with the first class, then without; mean, sum
    "tpr": [0.774, 0.774, 0.7353, 0.7353, 0.7694, 6.925, 0.7333, 4.4],
    "tnr": [0.2394, 0.2394, 0.1889, 0.1889, 0.2269, 2.0417, 0.1875, 1.125],
    "ppv": [0.5113, 0.5113, 0.5068, 0.5068, 0.5067, 4.5605, 0.4932, 2.9593],
    "npv": [0.5075, 0.5075, 0.3864, 0.3864, 0.4892, 4.4032, 0.3839, 2.3032],
    "fnr": [0.226, 0.226, 0.2647, 0.2647, 0.2306, 2.075, 0.2667, 1.6],
    "fpr": [0.7606, 0.7606, 0.8111, 0.8111, 0.7731, 6.9583, 0.8125, 4.875],
    "fdr": [0.4887, 0.4887, 0.4932, 0.4932, 0.4933, 4.4395, 0.5068, 3.0407],
    "for": [0.4925, 0.4925, 0.6136, 0.6136, 0.5108, 4.5968, 0.6161, 3.6968],
    "pt": [0.4978, 0.4978, 0.5123, 0.5123, 0.4992, 4.4927, 0.5393, 3.2357],
    "ts": [0.4449, 0.4449, 0.4286, 0.4286, 0.4338, 3.9042, 0.4154, 2.4924],
    "acc": [0.5104, 0.5104, 0.4792, 0.4792, 0.5104, 4.5938, 0.4792, 2.875],
    "ba": [0.5067, 0.5067, 0.4621, 0.4621, 0.4981, 4.4833, 0.4604, 2.7625],
    "f1": [0.6158, 0.6158, 0.6, 0.6, 0.5907, 5.3165, 0.5724, 3.4342],
    "mcc": [0.0159, 0.0159, -0.09, -0.09, -0.0059, -0.0527, -0.1596, -0.9575],
    "fm": [0.6291, 0.6291, 0.6104, 0.6104, 0.6132, 5.5187, 0.5922, 3.5531],
    "bm": [0.0134, 0.0134, -0.0758, -0.0758, -0.0037, -0.0333, -0.0792, -0.475],
    "mk": [0.0188, 0.0188, -0.1069, -0.1069, -0.0043, -0.0384, -0.1609, -0.9657],
    "hit rate": [0.774, 0.774, 0.7353, 0.7353, 0.7694, 6.925, 0.7333, 4.4],
}


@pytest.mark.parametrize("name", RATES)
def test_rates_of_confusion_matrices(name):
    rng = np.random.RandomState(0)
    predicted, actual = ((rng.rand(3, 3, 4, 4) > 0.5).astype(float) for _ in range(2))
    found = []
    for options in itertools.product((False, True), (True, False), ("mean", "sum")):
        by_sample, first, decrease = options
        metric = metrics.ConfusionMatrixMetric(first, name, by_sample, decrease)
        metric.update(predicted, actual)
        metric.update(np.ones_like(actual), actual)
        found.append(np.asarray(metric.eval()).item())
    np.testing.assert_allclose(found, RATES[name], atol=6e-5)


def test_rates_say_what_they_cannot_be():
    for call, error, text in (
        (lambda: metrics.ConfusionMatrixMetric(metric_name="luck"), NotImplementedError, "no rate 'luck'"),
        (lambda: metrics.ConfusionMatrixMetric(decrease="most"), ValueError, "decrease must be"),
        (lambda: metrics.ConfusionMatrixMetric(skip_channel=1), TypeError, "must be a bool"),
        (lambda: metrics.ConfusionMatrixMetric().update([[0, 1]], [[0, 2]]), ValueError, "0 or 1"),
        (lambda: metrics.ConfusionMatrixMetric().update([0, 1], [0, 1]), ValueError, r"\[N, C, ...\]"),
        (lambda: metrics.ConfusionMatrixMetric().eval(), RuntimeError, "update"),
    ):
        with pytest.raises(error, match=text):
            call()
    metric = metrics.ConfusionMatrixMetric(True, "acc", True, "mean_batch")
    with pytest.raises(ValueError, match="more than one number"):
        metric.update(np.ones((2, 2, 3)), np.ones((2, 2, 3)))


# Occlusion


class Scores(nn.Cell):
    """Two classes of images of four elements."""

    def __init__(self):
        super().__init__()
        weight = Tensor(np.array([[0.1, 0.8, 0.1, 0.1], [1, 1, 1, 1]], np.float32))
        self.dense = nn.Dense(4, 2, weight_init=weight, bias_init=Tensor(np.array([0.3, 0.6], np.float32)))

    def construct(self, x):
        return self.dense(x.reshape((x.shape[0], -1)))


@pytest.mark.parametrize("n_batch", [1, 3, 128])
def test_occlusion_sensitivity(n_batch):
    metric = get_metric_fn("occlusion_sensitivity", n_batch=n_batch)
    metric.update(Scores(), np.array([[0.1, 0.2, 0.3, 0.4]], np.float32), np.array(1, np.int32))
    np.testing.assert_allclose(metric.eval(), [0.3, 0.6, 1.0, 0.9], rtol=1e-6)  # as MindSpore 2.10 has it


def test_occlusion_sensitivity_of_a_part():
    image = np.arange(1, 5, dtype=np.float32).reshape(1, 2, 2)
    metric = metrics.OcclusionSensitivity(pad_val=1.0, margin=1, b_box=[0, 1, 1, -1])
    metric.update(Scores(), image, 1)
    np.testing.assert_allclose(metric.eval(), [1.0, 6.0], rtol=1e-6)  # the first row, and all, become ones
    for b_box in ([0, 1], [0, 2, 0, 1], [1, 0, 0, 1]):
        with pytest.raises(ValueError, match="b_box"):
            metrics.OcclusionSensitivity(b_box=b_box).update(Scores(), image, 1)


def test_occlusion_sensitivity_says_what_is_wrong():
    metric = metrics.OcclusionSensitivity()
    with pytest.raises(RuntimeError, match="OcclusionSensitivity"):
        metric.eval()
    with pytest.raises(ValueError, match="expected 3 inputs"):
        metric.update(1, 2)
    with pytest.raises(TypeError, match="expected a Cell"):
        metric.update(print, np.ones((1, 4), np.float32), 1)
    with pytest.raises(ValueError, match="one image"):
        metric.update(Scores(), np.ones((2, 4), np.float32), 1)
    for options in ({"pad_val": "x"}, {"margin": 0}, {"n_batch": 1.0}, {"b_box": 3}):
        with pytest.raises((TypeError, ValueError), match="OcclusionSensitivity"):
            metrics.OcclusionSensitivity(**options)
