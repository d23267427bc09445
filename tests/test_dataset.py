"""graphc.dataset: sources, files, samplers, pipeline steps, iterators, determinism."""

import gc
import gzip
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc.dataset as ds
from graphc.dataset import transforms, vision
from graphc.dataset.rng import Rng, fold
from graphc.dataset.sources import ArrayTable


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    """Every test starts from one seed and leaves the settings as they were."""
    ds.config.set_seed(1)
    yield
    ds.config.set_num_parallel_workers(1)
    ds.config.set_prefetch_size(4)


def rows(dataset: ds.Dataset) -> list[list[Any]]:
    """One epoch as nested lists."""
    return [[column.tolist() for column in row] for row in arrays(dataset)]


def arrays(dataset: ds.Dataset) -> list[list[np.ndarray]]:
    """One epoch as arrays."""
    return list(dataset.create_tuple_iterator(num_epochs=1, output_numpy=True))


def first(dataset: ds.Dataset) -> list[Any]:
    """The first column of one epoch."""
    return [row[0] for row in rows(dataset)]


def count_up(n: int, **options: Any) -> ds.NumpySlicesDataset:
    """0 to n - 1 in one column, in order."""
    return ds.NumpySlicesDataset(np.arange(n), ["x"], **({"shuffle": False} | options))


class Squares:
    """A source that can be read in any order, and counts its reads."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.reads: list[int] = []

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[int, np.ndarray]:
        self.reads.append(index)
        return index, np.full(2, index * index)


# Sources


def test_numpy_slices_takes_dict_tuple_list_and_array() -> None:
    x, y = np.arange(6.0).reshape(3, 2), [7, 8, 9]
    expected = [[[0.0, 1.0], 7], [[2.0, 3.0], 8], [[4.0, 5.0], 9]]
    of_dict = ds.NumpySlicesDataset({"data": x, "label": y}, shuffle=False)
    assert of_dict.get_col_names() == ["data", "label"]
    assert rows(of_dict) == expected
    of_tuple = ds.NumpySlicesDataset((x, y), shuffle=False)
    assert of_tuple.get_col_names() == ["column_0", "column_1"]
    assert rows(of_tuple) == expected
    assert rows(ds.NumpySlicesDataset([[1, 2], [3, 4]], "a", shuffle=False)) == [[[1, 2]], [[3, 4]]]
    assert rows(ds.NumpySlicesDataset(x, ["a"], shuffle=False)) == [[[0.0, 1.0]], [[2.0, 3.0]], [[4.0, 5.0]]]
    assert rows(ds.NumpySlicesDataset(["b", "cc"], shuffle=False)) == [["b"], ["cc"]]


def test_numpy_slices_takes_lists_of_different_shapes() -> None:
    ragged = ds.NumpySlicesDataset(([[1], [2, 2.5], []], [1, 2, 3]), ["a", "b"], shuffle=False)
    assert rows(ragged) == [[[1.0], 1], [[2.0, 2.5], 2], [[], 3]]
    shuffled = ds.NumpySlicesDataset([[1], [1, 2], [1, 2, 3]], "a", shuffle=True)
    assert sorted(rows(shuffled)) == [[[1]], [[1, 2]], [[1, 2, 3]]]
    batches = ds.NumpySlicesDataset([[1], [1, 2], [1, 2, 3]], "a", shuffle=False).padded_batch(2, True, pad_info={})
    assert rows(batches) == [[[[1, 0], [1, 2]]]]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: ds.NumpySlicesDataset({"a": [1, 2], "b": [1]}), ValueError, "differ in length: a 2, b 1"),
        (lambda: ds.NumpySlicesDataset(([1], [2]), ["a"]), ValueError, r"2 columns and names \['a'\], expected a name"),
        (lambda: ds.NumpySlicesDataset({"a": 3}), TypeError, "'a' is a single value"),
        (lambda: ds.NumpySlicesDataset([[1], [[1], 2]]), TypeError, "not one array"),
        (lambda: rows(ds.NumpySlicesDataset([[1], [1, 2]], "a", sampler=ds.PKSampler(1, class_column="a"))), TypeError,
         "holds no labels"),
        (lambda: ds.NumpySlicesDataset([object()]), TypeError, "expected an array"),
        (lambda: ds.NumpySlicesDataset(([1], [2]), ["a", "a"]), ValueError, "a name of its own"),
        (lambda: ds.NumpySlicesDataset(()), ValueError, "got 0 columns"),
        (lambda: count_up(3, shuffle=1), TypeError, "shuffle 1"),
        (lambda: count_up(3, num_shards=2), ValueError, "go together"),
        (lambda: count_up(3, sampler=[0], shuffle=True), ValueError, "sampler cannot be combined with shuffle=True"),
    ],
)
def test_numpy_slices_refuses(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_samples_share_no_memory_with_the_source() -> None:
    x = np.zeros((4, 2))
    for dataset in (ds.NumpySlicesDataset(x, shuffle=False), ds.NumpySlicesDataset(x, shuffle=False).batch(2)):
        for row in arrays(dataset):
            row[0] += 1
    assert not x.any()


def test_generator_source_that_can_be_read_in_any_order() -> None:
    source = Squares(5)
    dataset = ds.GeneratorDataset(source, ["n", "square"], shuffle=False)
    assert dataset.get_dataset_size() == 5
    assert rows(dataset) == [[i, [i * i, i * i]] for i in range(5)]
    assert sorted(first(ds.GeneratorDataset(source, ["n", "square"]))) == list(range(5))
    assert first(ds.GeneratorDataset([10, 20, 30], "x", shuffle=False)) == [10, 20, 30]


def test_generator_source_function_and_iterable_are_read_anew_each_epoch() -> None:
    def generate() -> Iterator[tuple[int, str]]:
        yield from ((i, str(i)) for i in range(4))

    class Resetting:
        def __iter__(self) -> "Resetting":
            self.left = 3
            return self

        def __next__(self) -> int:
            if self.left == 0:
                raise StopIteration
            self.left -= 1
            return self.left

    dataset = ds.GeneratorDataset(generate, ["n", "s"])
    assert [rows(dataset), rows(dataset)] == [[[i, str(i)] for i in range(4)]] * 2
    assert dataset.get_dataset_size() == 4
    iterable = ds.GeneratorDataset(Resetting(), "n")
    assert [first(iterable), first(iterable)] == [[2, 1, 0]] * 2
    assert first(ds.GeneratorDataset(generate, ["n", "s"], num_samples=2)) == [0, 1]


def test_generator_object_serves_one_epoch_and_says_so() -> None:
    dataset = ds.GeneratorDataset((i for i in range(3)), "n")
    with pytest.raises(TypeError, match="size of a generator is unknown"):
        dataset.get_dataset_size()
    assert first(dataset) == [0, 1, 2]
    with pytest.raises(RuntimeError, match="serves one epoch"):
        rows(dataset)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"column_names": None}, ValueError, "column_names is missing"),
        ({"shuffle": True}, ValueError, "shuffle needs a source with __getitem__"),
        ({"sampler": [0]}, ValueError, "sampler needs a source with __getitem__"),
        ({"num_shards": 2, "shard_id": 0}, ValueError, "num_shards needs"),
        ({"schema": "s"}, ValueError, "schema is not available"),
        ({"batch_sampler": [[0]]}, ValueError, "batch_sampler is not available"),
        ({"column_types": [np.int32, np.int32]}, ValueError, "2 column_types for 1 columns"),
        ({"source": 3}, TypeError, "source of type int"),
    ],
)
def test_generator_refuses(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ds.GeneratorDataset(**({"source": lambda: iter([1]), "column_names": ["a"]} | options))


def test_generator_checks_samples() -> None:
    with pytest.raises(ValueError, match=r"gave 2 values, expected 1 for columns \['a'\]"):
        rows(ds.GeneratorDataset([(1, 2)], ["a"]))
    with pytest.raises(TypeError, match="column 'a': got dict"):
        rows(ds.GeneratorDataset([{"k": 1}], ["a"]))
    with pytest.raises(TypeError, match="has dtype int64, but column_types says float32"):
        rows(ds.GeneratorDataset([1], ["a"], column_types=[np.float32]))
    assert rows(ds.GeneratorDataset([np.float32(1)], ["a"], column_types=[np.float32])) == [[1.0]]


def test_error_in_a_source_keeps_its_type_and_names_the_sample() -> None:
    class Broken(Squares):
        def __getitem__(self, index: int) -> tuple[int, np.ndarray]:
            if index == 3:
                raise KeyError("no file")
            return super().__getitem__(index)

    with pytest.raises(KeyError, match="no file") as caught:
        rows(ds.GeneratorDataset(Broken(5), ["n", "s"], shuffle=False))
    assert "sample 3" in caught.value.__notes__[0]


# Files


def idx(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def images_of(n: int, start: int = 0) -> np.ndarray:
    return (np.arange(n * 6, dtype=np.int64).reshape(n, 2, 3) + start) % 256


def write_mnist(folder: Path, zipped: bool = False, subfolders: bool = False, dots: bool = False) -> None:
    for part, stem, n in (("train", "train", 5), ("test", "t10k", 3)):
        place = folder / part if subfolders else folder
        place.mkdir(exist_ok=True, parents=True)
        for kind, array in (("images-idx3", images_of(n)), ("labels-idx1", np.arange(n))):
            name = f"{stem}-{kind.replace('-idx', '.idx') if dots else kind}-ubyte"
            data = gzip.compress(idx(array)) if zipped else idx(array)
            (place / (name + ".gz" * zipped)).write_bytes(data)


@pytest.mark.parametrize("layout", [{}, {"zipped": True}, {"subfolders": True}, {"dots": True}])
@pytest.mark.parametrize("kind", [ds.MnistDataset, ds.FashionMnistDataset])
def test_mnist_reads_every_layout(tmp_path: Path, layout: dict[str, bool], kind: type[ds.MnistDataset]) -> None:
    write_mnist(tmp_path, **layout)
    train = kind(str(tmp_path), usage="train", shuffle=False)
    assert train.get_col_names() == ["image", "label"]
    assert train.num_classes() == 10
    assert train.output_shapes() == [[2, 3, 1], []]
    assert train.output_types() == [np.uint8, np.uint32]
    (images, labels) = arrays(train.batch(10))[0]
    assert np.array_equal(images[..., 0], images_of(5))
    assert labels.tolist() == [0, 1, 2, 3, 4]
    assert [row[1] for row in rows(kind(tmp_path, usage="test", shuffle=False))] == [0, 1, 2]
    assert [row[1] for row in rows(kind(tmp_path, shuffle=False))] == [0, 1, 2, 3, 4, 0, 1, 2]
    assert kind(tmp_path, usage="all").get_dataset_size() == 8


def test_gzip_is_recognised_by_content_not_by_name(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(gzip.compress(idx(images_of(5))))
    assert ds.MnistDataset(tmp_path, usage="train").get_dataset_size() == 5


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: d[:10], "got 10 bytes, expected an IDX header of 16"),
        (lambda d: b"", "got 0 bytes"),
        (lambda d: d[:-1], r"the header says \[5, 2, 3\], that is 30 bytes, but there are 29 bytes"),
        (lambda d: d + b"x", "30 bytes, but there are more"),
        (lambda d: b"\0\0\x08\x01" + d[4:], "magic number 0x00000801, expected 0x00000803"),
        (lambda d: d[:4] + b"\xff" * 12 + d[16:], "but there are 30 bytes"),
        (lambda d: d[:4] + struct.pack(">3I", 6, 2, 3) + d[16:], "36 bytes, but there are 30"),
        (lambda d: gzip.compress(d)[:-12], "gzip data is damaged or cut short"),
        (lambda d: gzip.compress(d)[:20] + b"\0" * 20, "gzip data is damaged or cut short"),
    ],
)
def test_mnist_names_the_damaged_file(tmp_path: Path, damage: Callable[[bytes], bytes], words: str) -> None:
    write_mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ds.DataFileError, match=words) as caught:
        ds.MnistDataset(tmp_path, usage="train")
    assert "train-images-idx3-ubyte" in str(caught.value)


def test_mnist_missing_or_mismatched_files(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="nowhere"):
        ds.MnistDataset(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        ds.MnistDataset(tmp_path)
    write_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(4)))
    with pytest.raises(ds.DataFileError, match=r"has 5 images, but .* has 4 labels"):
        ds.MnistDataset(tmp_path, usage="train")
    with pytest.raises(ValueError, match="usage 'valid'"):
        ds.MnistDataset(tmp_path, usage="valid")
    with pytest.raises(ValueError, match="cache is not available"):
        ds.MnistDataset(tmp_path, cache=object())  # type: ignore[arg-type]


def cifar(labels: list[list[int]], seed: int = 0) -> tuple[bytes, np.ndarray]:
    """A binary CIFAR file and its images [N, 32, 32, 3]."""
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 32, 32), np.uint8)
    data = b"".join(bytes(label) + image.tobytes() for label, image in zip(labels, images, strict=True))
    return data, images.transpose(0, 2, 3, 1)


@pytest.mark.parametrize("subfolder", ["", "cifar-10-batches-bin"])
def test_cifar10_reads_batches_in_order(tmp_path: Path, subfolder: str) -> None:
    place = tmp_path / subfolder
    place.mkdir(exist_ok=True)
    data, images = cifar([[3], [9]])
    (place / "data_batch_1.bin").write_bytes(data)
    (place / "data_batch_2.bin").write_bytes(cifar([[5]], 1)[0])
    (place / "test_batch.bin").write_bytes(cifar([[1]], 2)[0])
    train = ds.Cifar10Dataset(str(tmp_path), usage="train", shuffle=False)
    assert [row[1] for row in rows(train)] == [3, 9, 5]
    assert np.array_equal(arrays(train)[1][0], images[1])
    assert [row[1] for row in rows(ds.Cifar10Dataset(tmp_path, shuffle=False))] == [3, 9, 5, 1]
    assert train.output_types() == [np.uint8, np.uint32]


def test_cifar10_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no data_batch_1\.bin in"):
        ds.Cifar10Dataset(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(b"pickle")
    with pytest.raises(FileNotFoundError, match="pickled Python version"):
        ds.Cifar10Dataset(tmp_path)
    data = cifar([[1], [2]])[0]
    (tmp_path / "data_batch_2.bin").write_bytes(data)
    with pytest.raises(FileNotFoundError, match="number 1 is missing"):
        ds.Cifar10Dataset(tmp_path, usage="train")
    (tmp_path / "data_batch_1.bin").write_bytes(data[:-5])
    with pytest.raises(ds.DataFileError, match=r"data_batch_1.bin: got 6141 bytes, expected .* records of 3073"):
        ds.Cifar10Dataset(tmp_path, usage="train")
    (tmp_path / "data_batch_1.bin").write_bytes(cifar([[1], [10]])[0])
    with pytest.raises(ds.DataFileError, match="record 1 has label 10, expected 0 to 9"):
        ds.Cifar10Dataset(tmp_path, usage="train")


def test_cifar100_has_two_labels(tmp_path: Path) -> None:
    (tmp_path / "train.bin").write_bytes(cifar([[19, 99], [0, 7]])[0])
    dataset = ds.Cifar100Dataset(tmp_path, usage="train", shuffle=False)
    assert dataset.get_col_names() == ["image", "coarse_label", "fine_label"]
    assert [row[1:] for row in rows(dataset)] == [[19, 99], [0, 7]]
    assert dataset.num_classes() == 100


def write_folder(folder: Path) -> None:
    from PIL import Image

    for name, shade in (("cat", 10), ("dog", 200)):
        (folder / name).mkdir()
        for i in range(2):
            Image.fromarray(np.full((3 + i, 4, 3), shade, np.uint8)).save(folder / name / f"{i}.PNG")
    (folder / "dog" / "notes.txt").write_text("no image")


def test_image_folder(tmp_path: Path) -> None:
    write_folder(tmp_path)
    decoded = ds.ImageFolderDataset(str(tmp_path), decode=True, shuffle=False)
    assert [(row[0].shape, int(row[0][0, 0, 0]), int(row[1])) for row in arrays(decoded)] == [
        ((3, 4, 3), 10, 0),
        ((4, 4, 3), 10, 0),
        ((3, 4, 3), 200, 1),
        ((4, 4, 3), 200, 1),
    ]
    assert decoded.output_types() == [np.uint8, np.int32]
    assert (decoded.num_classes(), decoded.get_class_indexing()) == (2, {"cat": 0, "dog": 1})
    raw = ds.ImageFolderDataset(tmp_path, shuffle=False)
    assert arrays(raw)[0][0].tobytes() == (tmp_path / "cat" / "0.PNG").read_bytes()
    mapped = raw.map(vision.Decode(), "image")
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(arrays(mapped), arrays(decoded), strict=True))
    some = ds.ImageFolderDataset(tmp_path, class_indexing={"dog": 5}, extensions=[".png"])
    assert {row[1] for row in rows(some)} == {5}
    balanced = ds.ImageFolderDataset(tmp_path, sampler=ds.PKSampler(1))
    assert [row[1] for row in rows(balanced)] == [0, 1]


def test_image_folder_names_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="hold no file"):
        ds.ImageFolderDataset(tmp_path)
    write_folder(tmp_path)
    with pytest.raises(ValueError, match="names 'cow'"):
        ds.ImageFolderDataset(tmp_path, class_indexing={"cow": 1})
    (tmp_path / "cat" / "0.PNG").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"0.PNG: not a readable image"):
        rows(ds.ImageFolderDataset(tmp_path, decode=True))
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match="pip install pillow"):
        ds.ImageFolderDataset(tmp_path, decode=True)


def test_embedded_fashion_mnist_is_balanced() -> None:
    for usage, per_class in (("train", 1000), ("test", 200)):
        dataset = ds.FashionMnistDataset(ds.embedded_fashion_mnist(), usage=usage)
        ((images, labels),) = arrays(dataset.batch(20000))
        assert images.shape == (10 * per_class, 28, 28, 1)
        assert np.bincount(labels).tolist() == [per_class] * 10
    assert (Path(ds.embedded_fashion_mnist()) / "LICENSE").read_text().startswith("The MIT License")


# Samplers


def sampled(sampler: Any, n: int = 10) -> list[int]:
    return first(count_up(n, sampler=sampler, shuffle=None))


def test_sequential_and_subset_samplers() -> None:
    assert sampled(ds.SequentialSampler()) == list(range(10))
    assert sampled(ds.SequentialSampler(3, 4)) == [3, 4, 5, 6]
    assert sampled(ds.SubsetSampler([5, 2, 5])) == [5, 2, 5]
    assert sampled(ds.SubsetSampler(np.array([5, 2, 5]), 2)) == [5, 2]
    assert sampled([4, 1]) == [4, 1]
    assert sampled(7) == [7]


def test_random_samplers_permute_and_reshuffle() -> None:
    for sampler, values in (
        (ds.RandomSampler(), range(10)),
        (ds.SubsetRandomSampler([1, 4, 6, 8, 9]), [1, 4, 6, 8, 9]),
    ):
        dataset = count_up(10, sampler=sampler, shuffle=None)
        epochs = [first(dataset) for _ in range(6)]
        assert all(sorted(epoch) == list(values) for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) > 3
    assert len(sampled(ds.RandomSampler(num_samples=4))) == 4
    drawn = sampled(ds.RandomSampler(replacement=True, num_samples=500))
    assert (len(drawn), set(drawn)) == (500, set(range(10)))


def test_random_order_is_uniform() -> None:
    """Every one of the 6 orders of 3 samples comes up about as often."""
    dataset = count_up(3, shuffle=True)
    seen: dict[tuple[int, ...], int] = {}
    for _ in range(1200):
        order = tuple(first(dataset))
        seen[order] = seen.get(order, 0) + 1
    assert len(seen) == 6
    assert max(abs(n - 200) for n in seen.values()) < 60  # more than 4 standard deviations


def test_weighted_sampler() -> None:
    drawn = np.bincount(sampled(ds.WeightedRandomSampler([1, 0, 3], 4000), 3), minlength=3)
    assert drawn[1] == 0
    assert abs(drawn[2] - 3000) < 150  # 5.5 standard deviations
    once = sampled(ds.WeightedRandomSampler([1, 0, 3, 2], 3, replacement=False), 4)
    assert sorted(once) == [0, 2, 3]
    # Without replacement the first draw still follows the weights.
    dataset = count_up(2, sampler=ds.WeightedRandomSampler([1, 3], 2, replacement=False), shuffle=None)
    heavy_first = sum(first(dataset)[0] for _ in range(1000))
    assert abs(heavy_first - 750) < 70


def test_distributed_sampler_shards_cover_the_data() -> None:
    shards = [first(count_up(10, num_shards=3, shard_id=i)) for i in range(3)]
    assert shards == [[0, 3, 6, 9], [1, 4, 7, 0], [2, 5, 8, 1]]
    mixed = [first(count_up(10, num_shards=3, shard_id=i, shuffle=True)) for i in range(3)]
    assert [len(shard) for shard in mixed] == [4, 4, 4]
    assert set().union(*mixed) == set(range(10))
    assert [sampled(ds.DistributedSampler(3, i, False, offset=1)) for i in range(3)] == [
        [2, 5, 8],
        [0, 3, 6, 9],
        [1, 4, 7],
    ]
    assert sampled(ds.DistributedSampler(3, 0, False, num_samples=2)) == [0, 3]


def test_pk_sampler() -> None:
    labels = np.array([2, 0, 1, 0, 2, 0, 1, 2])
    dataset = ds.NumpySlicesDataset({"i": np.arange(8), "label": labels}, sampler=ds.PKSampler(2))
    assert labels[first(dataset)].tolist() == [0, 0, 1, 1, 2, 2]
    assert len({tuple(first(dataset)) for _ in range(20)}) > 1
    two = ds.NumpySlicesDataset(
        {"i": np.arange(8), "label": labels}, sampler=ds.PKSampler(2, num_class=2, shuffle=True)
    )
    assert len({tuple(labels[first(two)]) for _ in range(20)}) > 1
    assert two.get_dataset_size() == 4
    with pytest.raises(ValueError, match="no column 'label'"):
        rows(count_up(3, sampler=ds.PKSampler(1), shuffle=None))


def test_user_samplers() -> None:
    class Odd(ds.Sampler):
        def __iter__(self) -> Iterator[int]:
            yield from range(1, self.dataset_size, 2)

    class Endless:
        def __iter__(self) -> Iterator[int]:
            while True:
                yield 3

    assert sampled(Odd()) == [1, 3, 5, 7, 9]
    assert sampled(Odd(2)) == [1, 3]
    assert sampled(ds.IterSampler(Endless(), 3)) == [3, 3, 3]
    with pytest.raises(TypeError, match="serves one epoch only"):
        sampled(i for i in range(3))
    with pytest.raises(TypeError, match="must define __iter__"):
        sampled(ds.Sampler())


def test_child_sampler_chooses_first() -> None:
    parent = ds.SequentialSampler(1, 2)
    parent.add_child(ds.SubsetSampler([9, 8, 7, 6]))
    assert sampled(parent) == [8, 7]
    assert parent.get_child() is not None
    with pytest.raises(RuntimeError, match="has a child"):
        parent.add_child(ds.RandomSampler())


@pytest.mark.parametrize(
    ("sampler", "error", "words"),
    [
        (lambda: ds.SubsetSampler([0, 10]), IndexError, r"got index 10, but the source has 10 samples \(0 to 9\)"),
        (lambda: [-1], IndexError, "got index -1"),
        (lambda: [0.5], TypeError, "dtype float64"),
        (lambda: ds.SequentialSampler(11), ValueError, "start_index 11"),
        (lambda: ds.WeightedRandomSampler([1, -1]), ValueError, "none negative"),
        (lambda: ds.WeightedRandomSampler([0, 0]), ValueError, "all weights are 0"),
        (lambda: ds.WeightedRandomSampler([1, 0], 2, False), ValueError, "2 draws without replacement from 1"),
        (lambda: ds.WeightedRandomSampler([1] * 11), ValueError, "11 weights for 10 samples"),
        (lambda: ds.DistributedSampler(2, 2), ValueError, "shard_id: got 2, expected 0 to 1"),
        (lambda: ds.RandomSampler(num_samples=-1), ValueError, "num_samples: got -1"),
        (lambda: ds.PKSampler(0), ValueError, "num_val: got 0"),
    ],
)
def test_samplers_refuse(sampler: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        sampled(sampler())


# Pipeline steps, against plain lists

SOURCES: list[Callable[[int], ds.Dataset]] = [
    lambda n: count_up(n),
    lambda n: ds.GeneratorDataset(list(range(n)), "x", shuffle=False),
    lambda n: ds.GeneratorDataset(lambda: iter(range(n)), "x"),
]

# Each step on a dataset, and the same on a list of rows.
Step = tuple[Callable[[ds.Dataset], ds.Dataset], Callable[[list[Any]], list[Any]]]


def _batched(x: list[Any], size: int, drop: bool) -> list[Any]:
    groups = [x[i : i + size] for i in range(0, len(x), size)]
    return [g for g in groups if len(g) == size or not drop]


def steps() -> st.SearchStrategy[Step]:
    size = st.integers(1, 7)
    return st.one_of(
        size.map(lambda n: (lambda d: d.take(n), lambda x: x[:n])),
        size.map(lambda n: (lambda d: d.skip(n), lambda x: x[n:])),
        st.integers(1, 3).map(lambda n: (lambda d: d.repeat(n), lambda x: x * n)),
        size.map(lambda n: (lambda d: d.map(lambda v: v + n), lambda x: [v + n for v in x])),
        st.just((lambda d: d.map(transforms.TypeCast(np.int64)), lambda x: x)),
        st.integers(2, 3).map(
            lambda n: (lambda d: d.filter(lambda v: v % n == 0), lambda x: [v for v in x if v % n == 0])
        ),
        size.map(lambda n: (lambda d: d + SOURCES[n % 3](n), lambda x: x + list(range(n)))),
        size.map(lambda n: (lambda d: (d + d).skip(n), lambda x: (x + x)[n:])),
        size.map(
            lambda n: (
                lambda d: ds.zip((d, SOURCES[n % 3](9).rename("x", "y"))).map(lambda a, b: a + b, ["x", "y"], ["x"]),
                lambda x: [a + b for a, b in zip(x, range(9), strict=False)],
            )
        ),
        st.just((lambda d: d.zip(d.rename("x", "y")).project("y").rename("y", "x"), lambda x: x)),
    )


@settings(max_examples=150, deadline=None)
@given(
    source=st.sampled_from(SOURCES),
    n=st.integers(0, 12),
    chain=st.lists(steps(), max_size=5),
    size=st.integers(1, 5),
    drop=st.booleans(),
)
def test_any_pipeline_does_what_lists_do(
    source: Callable[[int], ds.Dataset], n: int, chain: list[Step], size: int, drop: bool
) -> None:
    dataset, expected = source(n), list(range(n))
    for build, model in chain:
        dataset, expected = build(dataset), model(expected)
    assert first(dataset) == expected
    assert dataset.get_dataset_size() == len(expected)
    batches = dataset.batch(size, drop)
    assert first(batches) == _batched(expected, size, drop)
    assert batches.get_dataset_size() == len(_batched(expected, size, drop))
    assert sorted(first(dataset.shuffle(4))) == sorted(expected)


def test_last_batch_may_be_partial() -> None:
    assert first(count_up(5).batch(2)) == [[0, 1], [2, 3], [4]]
    assert first(count_up(5).batch(2, drop_remainder=True)) == [[0, 1], [2, 3]]
    assert first(count_up(5).batch(2).batch(2, True)) == [[[0, 1], [2, 3]]]
    assert first(count_up(3).batch(2).skip(1)) == [[2]]


def test_batch_size_from_a_function() -> None:
    growing = count_up(7).batch(lambda info: info.get_batch_num() + 1)
    assert first(growing) == [[0], [1, 2], [3, 4, 5], [6]]
    assert (growing.get_dataset_size(), growing.get_batch_size()) == (4, -1)
    assert count_up(7).batch(lambda info: info.get_batch_num() + 1, True).get_dataset_size() == 3
    by_epoch = count_up(4).batch(lambda info: info.get_epoch_num() + 1)
    assert [len(rows(by_epoch)) for _ in range(4)] == [4, 2, 2, 1]
    with pytest.raises(ValueError, match="the function's result: got 0"):
        rows(count_up(4).batch(lambda info: 0))


def test_per_batch_map() -> None:
    dataset = ds.NumpySlicesDataset({"a": np.arange(4), "b": np.arange(4) * 10}, shuffle=False)

    def add(a: list[np.ndarray], b: list[np.ndarray], info: ds.BatchInfo) -> tuple[list[np.ndarray], list[np.ndarray]]:
        return [x + y for x, y in zip(a, b, strict=True)], [x * 0 + info.get_batch_num() for x in b]

    assert rows(dataset.batch(2, per_batch_map=add)) == [[[0, 11], [0, 0]], [[22, 33], [1, 1]]]
    one = dataset.batch(3, per_batch_map=lambda b, info: (np.array(b) + 1,), input_columns=["b"], output_columns=["c"])
    assert (one.get_col_names(), rows(one)) == (["a", "c"], [[[0, 1, 2], [1, 11, 21]], [[3], [31]]])
    wider = dataset.batch(4, per_batch_map=lambda b, info: (b, b), input_columns=["b"], output_columns=["c", "d"])
    assert wider.get_col_names() == ["c", "d", "a"]
    with pytest.raises(ValueError, match="returned 1 columns, expected 2"):
        rows(dataset.batch(2, per_batch_map=lambda a, b, info: (a,)))
    with pytest.raises(ValueError, match="belong to per_batch_map"):
        dataset.batch(2, input_columns=["a"])


def test_rows_that_differ_cannot_be_stacked_but_padded() -> None:
    ragged = ds.GeneratorDataset([(np.arange(n), "ab"[: n % 3]) for n in (1, 3, 2)], ["v", "s"], shuffle=False)
    with pytest.raises(ValueError, match=r"column 'v' differ, row 0 has shape \(1,\).* row 1 has shape \(3,\)"):
        rows(ragged.batch(3))
    with pytest.raises(ValueError, match="dtype float64"):
        rows(ds.GeneratorDataset([1, 2.0], "x", shuffle=False).batch(2))
    assert rows(ragged.padded_batch(2)) == [
        [[[0, 0, 0], [0, 1, 2]], ["a", ""]],
        [[[0, 1]], ["ab"]],
    ]
    assert rows(ragged.padded_batch(3, pad_info={"v": None}))[0][0] == rows(ragged.padded_batch(3))[0][0]
    assert rows(ragged.padded_batch(3, pad_info={"v": ([4], -1)}))[0][0] == [
        [0, -1, -1, -1],
        [0, 1, 2, -1],
        [0, 1, -1, -1],
    ]
    assert rows(ragged.padded_batch(3, pad_info={"v": ([2], None)}))[0][0] == [[0, 0], [0, 1], [0, 1]]
    with pytest.raises(ValueError, match=r"rank \[1\], expected rank 2"):
        rows(ragged.padded_batch(3, pad_info={"v": ([None, None], 0)}))
    with pytest.raises(ValueError, match="no column 'w'"):
        ragged.padded_batch(3, pad_info={"w": ([1], 0)})


def test_map_columns() -> None:
    dataset = ds.NumpySlicesDataset({"a": [1, 2], "b": [10, 20], "c": [5, 6]}, shuffle=False)
    assert rows(dataset.map(lambda a: a + 1)) == [[2, 10, 5], [3, 20, 6]]
    swapped = dataset.map(lambda a, b: (b, a), ["a", "b"], ["x", "y"])
    assert (swapped.get_col_names(), rows(swapped)[0]) == (["x", "y", "c"], [10, 1, 5])
    summed = dataset.map([lambda a, b: (a, b), lambda a, b: a + b], ["c", "b"], "sum")
    assert (summed.get_col_names(), rows(summed)[0]) == (["sum", "a"], [15, 1])
    more = dataset.map(lambda b: (b, b + 1), "b", ["p", "q"])
    assert (more.get_col_names(), rows(more)[0]) == (["p", "q", "a", "c"], [10, 11, 1, 5])
    tensor_like = dataset.map(lambda a: type("T", (), {"asnumpy": lambda self: a * 3})())
    assert rows(tensor_like)[1] == [6, 20, 6]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda d: d.map(lambda x: x, "z"), ValueError, r"map: there is no column 'z', only \['x'\]"),
        (lambda d: d.map([]), ValueError, "empty list"),
        (lambda d: d.map(3), TypeError, "got 3 of type int"),
        (lambda d: d.map(lambda x: x, cache=1), ValueError, "cache is not available"),
        (lambda d: d.map(lambda x: x, wrong=1), TypeError, "unexpected argument 'wrong'"),
        (lambda d: d.map(lambda x: x, num_parallel_workers=0), ValueError, "num_parallel_workers: got 0"),
        (
            lambda d: rows(d.map(lambda x: (x, x))),
            ValueError,
            r"returned 2 columns, expected 1 for output_columns \['x'\]",
        ),
        (lambda d: rows(d.map(lambda x: {1: x})), TypeError, "lambda> returned: got dict"),
        (lambda d: d.batch(0), ValueError, "batch_size: got 0"),
        (lambda d: d.batch(2.0), TypeError, "batch_size: got 2.0"),
        (lambda d: d.batch(2, 1), TypeError, "drop_remainder: got 1"),
        (lambda d: d.shuffle(0), ValueError, "buffer_size: got 0"),
        (lambda d: d.repeat(0), ValueError, "count 0"),
        (lambda d: d.take(0), ValueError, "count 0"),
        (lambda d: d.skip(-1), ValueError, "count: got -1"),
        (lambda d: d.zip(d), ValueError, "must differ"),
        (lambda d: d.zip(3), TypeError, "zip: got int, expected a dataset"),
        (lambda d: d + 3, TypeError, "concat: got int, expected a dataset"),
        (lambda d: d.concat(d.rename("x", "y")), ValueError, "columns differ"),
        (lambda d: d.rename("x", ["a", "b"]), ValueError, "one new name for each"),
        (lambda d: d.project("q"), ValueError, "no column 'q'"),
        (lambda d: d.filter(3), TypeError, "predicate 3"),
        (lambda d: rows(d.filter(lambda x: "yes")), TypeError, "expected a bool"),
        (lambda d: d.apply(lambda d: 3), TypeError, "returned int"),
        (lambda d: d.apply(3), TypeError, "expected a function"),
        (lambda d: d.split([3, 3]), ValueError, "sum to 6, but there are 5 rows"),
        (lambda d: d.split([0.5, 0.6]), ValueError, "expected 1"),
        (lambda d: d.split([0.01, 0.99]), ValueError, "each must have a row"),
        (lambda d: d.create_tuple_iterator(num_epochs=0), ValueError, "num_epochs: got 0"),
        (lambda d: d.create_tuple_iterator(output_numpy=1), TypeError, "output_numpy: got 1"),
        (lambda d: d.create_tuple_iterator("z"), ValueError, "no column 'z'"),
        (lambda d: d.filter(lambda x: False).output_shapes(), ValueError, "empty"),
    ],
)
def test_steps_refuse(make: Callable[[ds.Dataset], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make(count_up(5))


def test_split_parts_are_disjoint_and_stay() -> None:
    dataset = count_up(20, shuffle=True)
    train, test = dataset.split([0.75, 0.25])
    assert (train.get_dataset_size(), test.get_dataset_size()) == (15, 5)
    kept = (first(train), first(test))
    assert sorted(kept[0] + kept[1]) == list(range(20))
    assert kept[0] != sorted(kept[0])
    assert (first(train), first(test)) == kept
    shuffled_part = test.shuffle(5)
    orders = {tuple(first(shuffled_part)) for _ in range(10)}
    assert len(orders) > 1
    assert {tuple(sorted(order)) for order in orders} == {tuple(sorted(kept[1]))}
    assert [first(part) for part in count_up(5).split([2, 3], randomize=False)] == [[0, 1], [2, 3, 4]]
    assert [part.get_dataset_size() for part in count_up(10).split([0.33, 0.33, 0.34])] == [4, 3, 3]


def test_endless_repeat() -> None:
    endless = count_up(3).repeat()
    assert endless.get_dataset_size() == 3
    assert (endless.get_repeat_count(), endless.batch(2).repeat(2).get_repeat_count()) == (-1, -1)
    assert first(endless.take(7)) == [0, 1, 2, 0, 1, 2, 0]
    assert endless.take(7).get_dataset_size() == 7
    assert (endless.skip(4).get_dataset_size(), first(endless.skip(4).take(3))) == (3, [1, 2, 0])
    assert first(endless.batch(2).take(2)) == [[0, 1], [2, 0]]
    zipped = ds.zip((endless, count_up(5).rename("x", "y")))
    assert (zipped.get_dataset_size(), first(zipped)) == (5, [0, 1, 2, 0, 1])
    assert first(count_up(0).repeat()) == []
    assert count_up(3).repeat(2).repeat(3).get_repeat_count() == 6


def test_apply_and_asking() -> None:
    dataset = ds.NumpySlicesDataset({"a": np.zeros((5, 3), np.float32), "b": np.arange(5)}, shuffle=False)
    batched = dataset.apply(lambda d: d.batch(2)).repeat(2)
    assert (len(batched), batched.get_batch_size(), batched.get_repeat_count()) == (6, 2, 2)
    assert batched.output_shapes() == [[2, 3], [2]]
    assert batched.output_shapes(estimate=True) == [[None, 3], [None]]
    assert batched.output_types() == [np.float32, np.int64]
    assert (dataset.get_batch_size(), dataset.num_classes(), dataset.get_class_indexing()) == (1, None, {})


# Order and randomness


def test_shuffle_buffer_bounds_how_early_a_row_comes() -> None:
    order = first(count_up(500).shuffle(20))
    assert sorted(order) == list(range(500))
    assert all(value <= place + 19 for place, value in enumerate(order))
    assert max(place - value for place, value in enumerate(order)) > 20  # though it may come much later
    assert first(count_up(50).shuffle(1)) == list(range(50))


@pytest.mark.parametrize("size", [1, 2, 7, 30, 100])
def test_shuffle_depends_on_rows_and_seed_only(size: int) -> None:
    """However the rows reach it: as indices, one by one, from two sources, or behind other steps."""
    streams = [
        count_up(60),
        ds.GeneratorDataset(lambda: iter(range(60)), "x"),
        count_up(23) + ds.NumpySlicesDataset(np.arange(23, 60), ["x"], shuffle=False),
        count_up(60).map(transforms.TypeCast(np.int64)),
        count_up(60).filter(lambda x: True),
    ]
    orders = [first(stream.shuffle(size).take(50)) for stream in streams[:3]]
    assert orders[0] == orders[1]
    whole = [sorted(first(stream.shuffle(size))) for stream in streams]
    assert whole == [list(range(60))] * 5


def test_shuffle_may_push_out_any_row_of_the_buffer() -> None:
    dataset = count_up(12).shuffle(4)
    assert {first(dataset)[0] for _ in range(60)} == {0, 1, 2, 3}


def test_concatenated_sources_stay_flat_in_a_shuffle_buffer() -> None:
    dataset = sum((ds.NumpySlicesDataset(np.arange(i * 50, i * 50 + 50), ["x"]) for i in range(1, 4)), count_up(50))
    assert sorted(first(dataset.shuffle(16))) == list(range(200))


def test_epochs_differ_and_seeds_repeat() -> None:
    dataset = count_up(30, shuffle=True).shuffle(10).batch(4)
    epochs = [first(dataset) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    ds.config.set_seed(1)
    assert [first(dataset) for _ in range(3)] == epochs
    iterator = count_up(30, shuffle=True).shuffle(10).batch(4).create_tuple_iterator(num_epochs=3, output_numpy=True)
    assert [[row[0].tolist() for row in iterator] for _ in range(3)] == epochs
    ds.config.set_seed(2)
    assert first(dataset) != epochs[0]
    assert ds.config.get_seed() == 2


def test_repeat_shuffles_anew() -> None:
    once = first(count_up(20, shuffle=True))
    ds.config.set_seed(1)
    order = first(count_up(20, shuffle=True).repeat(2).repeat(2))
    parts = [order[i : i + 20] for i in range(0, 80, 20)]
    assert parts[0] == once
    assert len({tuple(part) for part in parts}) == 4


def test_equally_built_sources_stay_in_step_when_zipped() -> None:
    x = ds.NumpySlicesDataset(np.arange(50), ["x"], shuffle=True)
    y = ds.NumpySlicesDataset(np.arange(50), ["y"], shuffle=True)
    assert all(a == b for a, b in rows(ds.zip((x, y))))


def test_set_seed_seeds_the_global_generators_too() -> None:
    import random

    drawn = []
    for _ in range(2):
        ds.config.set_seed(3)
        drawn.append((random.random(), np.random.rand()))
    assert drawn[0] == drawn[1]


def test_config_refuses_nonsense() -> None:
    for call in (
        lambda: ds.config.set_seed(-1),
        lambda: ds.config.set_seed(2**32),
        lambda: ds.config.set_num_parallel_workers(0),
        lambda: ds.config.set_prefetch_size(-1),
    ):
        with pytest.raises(ValueError, match="got"):
            call()
    with pytest.raises(TypeError, match="expected an int"):
        ds.config.set_seed(1.0)  # type: ignore[arg-type]
    ds.config.set_num_parallel_workers(3)
    ds.config.set_prefetch_size(7)
    assert (ds.config.get_num_parallel_workers(), ds.config.get_prefetch_size()) == (3, 7)


def test_config_keeps_what_concerns_processes_and_queues() -> None:
    for name in ("enable_watchdog", "fast_recovery", "dynamic_shape"):
        get, put = getattr(ds.config, f"get_{name}"), getattr(ds.config, f"set_{name}")
        before = get()
        put(not before)
        assert get() is not before
        put(before)
        with pytest.raises(TypeError, match=f"set_{name}"):
            put(1)
    for name in ("multiprocessing_timeout_interval", "callback_timeout", "monitor_sampling_interval"):
        get, put = getattr(ds.config, f"get_{name}"), getattr(ds.config, f"set_{name}")
        before = get()
        put(before + 1)
        assert get() == before + 1
        put(before)
        with pytest.raises(ValueError, match=f"set_{name}"):
            put(0)


def augmented(batch: int | None, workers: int, prefetch: int, ragged: bool = False) -> list[np.ndarray]:
    """Images after random operations, under different ways to group and share the work."""
    ds.config.set_seed(5)
    ds.config.set_prefetch_size(prefetch)
    images = np.random.default_rng(0).integers(0, 256, (23, 8, 8, 1), np.uint8)
    dataset: ds.Dataset = ds.NumpySlicesDataset({"image": images}, shuffle=True)
    operations = [
        vision.RandomCrop(8, padding=2),
        vision.RandomHorizontalFlip(),
        vision.RandomRotation(30, resample=vision.Inter.BILINEAR),
        transforms.RandomApply([vision.RandomVerticalFlip(), lambda image: image // 2], 0.5),
        vision.ToTensor(),
        vision.RandomErasing(0.5, value="random"),
    ]
    if ragged:  # hide from the pipeline that samples could be stacked
        operations = [_one_at_a_time(operation) for operation in operations]
    dataset = dataset.map(operations, "image", num_parallel_workers=workers)
    if batch is not None:
        dataset = dataset.batch(batch)
    out = [row[0] for _ in range(2) for row in arrays(dataset)]
    return out if batch is None else [image for stack in out for image in stack]


def _one_at_a_time(operation: Any) -> Any:
    class Single(transforms.Transform):
        def sample(self, rng: Rng, *columns: Any) -> Any:
            return operation.sample(rng, *columns) if hasattr(operation, "sample") else operation(*columns)

    return Single()


def test_augmentation_depends_on_seed_and_place_only() -> None:
    expected = augmented(None, 1, 0)
    assert not np.array_equal(expected[0], expected[23])
    for batch, workers, prefetch, ragged in ((5, 1, 0, False), (32, 3, 4, False), (7, 2, 1, True), (None, 4, 2, True)):
        found = augmented(batch, workers, prefetch, ragged)
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True)), (batch, workers, ragged)


def test_augmentation_numbers_samples_through_the_epoch() -> None:
    """Read one by one, or in portions of thousands: sample i draws the same."""
    operation = transforms.RandomApply([lambda x: -x], 0.5)
    expected = first(count_up(9000).map(operation))
    assert first(ds.GeneratorDataset(lambda: iter(range(9000)), "x").map(operation)) == expected
    flipped = np.array(expected) < 0
    assert abs(flipped[:4000].sum() - 2000) < 160
    assert not np.array_equal(flipped[:4000], flipped[4096:8096])


def test_workers_run_side_by_side_and_in_order() -> None:
    threads = set()

    def slow(x: np.ndarray) -> np.ndarray:
        threads.add(threading.current_thread().name)
        time.sleep(0.002 * (int(x) % 3))
        return x * 2

    dataset = count_up(24).map(slow, num_parallel_workers=4).filter(lambda x: x % 4 == 0, num_parallel_workers=2)
    assert first(dataset.batch(6)) == [[0, 4, 8, 12, 16, 20], [24, 28, 32, 36, 40, 44]]
    assert len(threads) == 4
    assert first(ds.GeneratorDataset(Squares(9), ["n", "s"], shuffle=False, num_parallel_workers=3)) == list(range(9))


def test_earliest_error_wins_among_workers() -> None:
    def fail(x: np.ndarray) -> np.ndarray:
        if x >= 8:
            time.sleep(0.01 if x < 16 else 0)
            raise ValueError(f"sample {x}")
        return x

    with pytest.raises(ValueError, match="sample 8"):
        rows(count_up(24).map(fail, num_parallel_workers=3).batch(24))


def test_set_init_step_resumes_within_an_epoch() -> None:
    def build() -> ds.Dataset:
        images = np.random.default_rng(0).integers(0, 256, (20, 6, 6, 1), np.uint8)
        source = ds.NumpySlicesDataset({"image": images}, shuffle=True)
        return source.map(vision.RandomCrop(4), "image").shuffle(7).batch(3)

    whole = build()
    steps = [row[0] for _ in range(3) for row in arrays(whole)]
    resumed = build()
    resumed.set_init_step(9)
    rest = [row[0] for _ in range(2) for row in arrays(resumed)]
    assert len(rest) == 21 - 9
    assert all(np.array_equal(a, b) for a, b in zip(rest, steps[9:], strict=True))


def test_rng_is_the_same_for_one_sample_and_many() -> None:
    many = Rng(fold(1, 2), np.arange(5))
    together = [many.uniform(), many.integers(3, 9, size=2), many.normal(3), many.order(4)]
    for i in range(5):
        one = Rng(fold(1, 2), np.array([i]))
        alone = [one.uniform(), one.integers(3, 9, size=2), one.normal(3), one.order(4)]
        assert all(np.array_equal(a[i : i + 1], b) for a, b in zip(together, alone, strict=True))


def test_rng_moments() -> None:
    rng = Rng(fold(7), np.arange(2000))
    uniform, normal, dice = rng.uniform(size=50), rng.normal(50), rng.integers(0, 6, size=50)
    n = uniform.size
    assert abs(uniform.mean() - 0.5) < 5 * np.sqrt(1 / 12 / n)
    assert abs(normal.mean()) < 5 / np.sqrt(n)
    assert abs(normal.var() - 1) < 5 * np.sqrt(2 / n)
    assert np.abs(np.bincount(dice.ravel()) - n / 6).max() < 5 * np.sqrt(n * 5 / 36)
    assert abs(np.corrcoef(uniform[:, 0], uniform[:, 1])[0, 1]) < 5 / np.sqrt(2000)
    assert abs(np.corrcoef(uniform[:-1, 0], uniform[1:, 0])[0, 1]) < 5 / np.sqrt(2000)


# Work that is not done


def test_batches_of_arrays_are_one_gather(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    take = ArrayTable.take

    def counted(self: ArrayTable, indices: np.ndarray, workers: Any) -> Any:
        sizes.append(len(indices))
        return take(self, indices, workers)

    monkeypatch.setattr(ArrayTable, "take", counted)
    dataset = ds.NumpySlicesDataset({"x": np.arange(100.0)}, shuffle=True).map(vision.Rescale(2.0, 0.0), "x")
    rows(dataset.shuffle(40).skip(4).repeat(2).batch(32))
    assert sizes == [32] * 6


def test_only_what_is_asked_for_is_read() -> None:
    source = Squares(1000)
    ds.config.set_prefetch_size(0)
    dataset = ds.GeneratorDataset(source, ["n", "s"], shuffle=False)
    rows(dataset.skip(10).take(3).batch(2))
    assert source.reads == [10, 11, 12]
    source.reads.clear()
    next(iter(dataset.batch(4).create_tuple_iterator(output_numpy=True)))
    assert source.reads == [0, 1, 2, 3]
    assert dataset.batch(7).repeat(2).get_dataset_size() == 286
    assert len(source.reads) == 4


def test_prefetch_works_ahead_but_not_too_far() -> None:
    source = Squares(1000)
    ds.config.set_prefetch_size(3)
    iterator = ds.GeneratorDataset(source, ["n", "s"], shuffle=False).batch(2).create_tuple_iterator(output_numpy=True)
    next(iterator)
    deadline = time.monotonic() + 5
    while len(source.reads) < 8 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert len(source.reads) == 8  # the batch taken and three more
    iterator.stop()


# Iterators


def test_dict_and_tuple_iterators() -> None:
    dataset = ds.NumpySlicesDataset({"a": [1, 2], "b": [3.0, 4.0]}, shuffle=False)
    assert [
        {k: v.item() for k, v in row.items()} for row in dataset.create_dict_iterator(num_epochs=1, output_numpy=True)
    ] == [{"a": 1, "b": 3.0}, {"a": 2, "b": 4.0}]
    swapped = dataset.create_tuple_iterator(["b", "a"], output_numpy=True)
    assert [[v.item() for v in row] for row in swapped] == [[3.0, 1], [4.0, 2]]
    row = swapped.get_next()
    assert isinstance(row, list)
    assert isinstance(row[0], np.ndarray)


def test_iterators_yield_tensors() -> None:
    from graphc.tensor import Tensor

    dataset = ds.NumpySlicesDataset({"a": np.ones((3, 2), np.float32), "b": np.arange(3)}, shuffle=False).batch(2)
    for a, b in dataset:
        assert isinstance(a, Tensor)
        assert a.asnumpy().dtype == np.float32
        assert isinstance(b, Tensor)
    (last,) = list(dataset.skip(1).create_dict_iterator(num_epochs=1))
    assert last["b"].asnumpy().tolist() == [2]


def test_iterators_count_epochs() -> None:
    iterator = count_up(3).create_tuple_iterator(num_epochs=2, output_numpy=True)
    assert [len(list(iterator)), len(list(iterator))] == [3, 3]
    with pytest.raises(RuntimeError, match="beyond its num_epochs"):
        list(iterator)
    endless = count_up(2).create_tuple_iterator(output_numpy=True)
    assert [len(list(endless)) for _ in range(5)] == [2] * 5
    broken_off = count_up(4).create_tuple_iterator(output_numpy=True)
    next(broken_off)
    assert [row[0].item() for row in broken_off] == [1, 2, 3]  # the rest of the same epoch
    broken_off.stop()
    with pytest.raises(RuntimeError, match="stop"):
        next(broken_off)


def test_do_copy_separates_arrays() -> None:
    constant = np.zeros(2)
    dataset = count_up(3).map(lambda x: constant)
    for row in dataset.create_tuple_iterator(num_epochs=1, output_numpy=True, do_copy=True):
        row[0] += 1
    assert not constant.any()


def prefetch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("graphc-dataset")]


def test_error_reaches_the_consumer_with_its_traceback_and_threads_end() -> None:
    def fails_at_five(x: np.ndarray) -> np.ndarray:
        if x == 5:
            raise ZeroDivisionError("five")
        return x

    for workers in (1, 3):
        dataset = count_up(8).map(fails_at_five, num_parallel_workers=workers).batch(2)
        seen = []
        with pytest.raises(ZeroDivisionError, match="five") as caught:
            for row in dataset.create_tuple_iterator(num_epochs=1, output_numpy=True):
                seen.append(row[0].tolist())
        assert seen == [[0, 1], [2, 3]]
        assert "fails_at_five" in "".join(traceback.format_tb(caught.value.__traceback__))
        assert "in the map operation" in caught.value.__notes__[0]
        assert "fails_at_five" in caught.value.__notes__[0]
        del caught
        gc.collect()
        assert prefetch_threads() == []


def test_dropped_iterator_ends_its_thread() -> None:
    for workers in (1, 2):
        iterator = (
            count_up(10**6).map(lambda x: x, num_parallel_workers=workers).create_tuple_iterator(output_numpy=True)
        )
        next(iterator)
        assert len(prefetch_threads()) >= 1
        del iterator
        gc.collect()
        assert prefetch_threads() == []


def test_interrupt_in_the_consumer_ends_the_thread() -> None:
    with pytest.raises(KeyboardInterrupt):
        for _ in count_up(10**6).map(lambda x: x).create_tuple_iterator(output_numpy=True):
            raise KeyboardInterrupt
    gc.collect()
    assert prefetch_threads() == []


def test_exit_of_a_source_is_not_lost() -> None:
    def leaves(x: np.ndarray) -> np.ndarray:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        rows(count_up(2).map(leaves))


# General transforms


def apply(operation: transforms.Transform, *values: Any) -> Any:
    """One sample alone; a batched operation must say the same of several."""
    alone = operation(*values)
    if hasattr(operation, "batched"):
        stacked = [np.stack([np.asarray(value)] * 3) for value in values]
        together = operation.batched(Rng(0, np.arange(3)), *stacked)
        for one, many in zip(
            alone if isinstance(alone, tuple) else (alone,),
            together if isinstance(together, tuple) else (together,),
            strict=True,
        ):
            assert all(np.array_equal(one, many[i]) for i in range(3))
            assert np.asarray(one).dtype == many[0].dtype
    return alone


def test_type_cast() -> None:
    class Dtype:
        np = np.dtype(np.float16)

    for given_type in (np.float32, "float32", np.dtype(np.float32)):
        assert apply(transforms.TypeCast(given_type), np.arange(3)).dtype == np.float32
    assert apply(transforms.TypeCast(Dtype()), np.arange(3)).dtype == np.float16
    for wrong in ("nonsense", None):
        with pytest.raises(TypeError, match="expected a dtype"):
            transforms.TypeCast(wrong)


def test_one_hot() -> None:
    assert apply(transforms.OneHot(3), np.int32(1)).tolist() == [0, 1, 0]
    assert apply(transforms.OneHot(3), np.int32(1)).dtype == np.int32
    assert apply(transforms.OneHot(3), np.array([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert apply(transforms.OneHot(3), np.array([2])).tolist() == [0, 0, 1]
    assert apply(transforms.OneHot(3), np.array([[2], [0]])).tolist() == [[0, 0, 1], [1, 0, 0]]
    smooth = apply(transforms.OneHot(4, 0.2), 1)
    assert smooth.dtype == np.float32
    np.testing.assert_array_equal(smooth, np.array([0.05, 0.85, 0.05, 0.05], np.float32))
    for label in (3, -1):
        with pytest.raises(ValueError, match=f"label {label}, expected 0 to 2"):
            transforms.OneHot(3)(np.int64(label))
    with pytest.raises(TypeError, match="float64"):
        transforms.OneHot(3)(1.0)


def test_fill_pad_end_slice_mask() -> None:
    assert apply(transforms.Fill(7), np.zeros((2, 2), np.int8)).tolist() == [[7, 7], [7, 7]]
    assert apply(transforms.Fill("xyz"), np.array(["a"])).tolist() == ["xyz"]
    with pytest.raises(TypeError, match="cannot fill"):
        transforms.Fill("x")(np.zeros(2))
    x = np.arange(6).reshape(2, 3)
    assert apply(transforms.PadEnd([3, 2], -1), x).tolist() == [[0, 1], [3, 4], [-1, -1]]
    assert apply(transforms.PadEnd([None, 4]), x).tolist() == [[0, 1, 2, 0], [3, 4, 5, 0]]
    assert apply(transforms.PadEnd([2], "zz"), np.array(["a"])).tolist() == ["a", "zz"]
    with pytest.raises(ValueError, match="expected rank 1"):
        transforms.PadEnd([3])(x)
    assert apply(transforms.Slice(1), x).tolist() == [[3, 4, 5]]
    assert apply(transforms.Slice(None, [2, 0]), x).tolist() == [[2, 0], [5, 3]]
    assert apply(transforms.Slice(..., slice(0, 2)), x).tolist() == [[0, 1], [3, 4]]
    with pytest.raises(IndexError, match="3 slices"):
        transforms.Slice(0, 0, 0)(x)
    assert apply(transforms.Mask(transforms.Relational.GE, 4), x).tolist() == [
        [False, False, False],
        [False, True, True],
    ]
    assert apply(transforms.Mask(transforms.Relational.EQ, 4, np.float32), x).dtype == np.float32


def test_duplicate_concatenate_unique() -> None:
    first_copy, second_copy = apply(transforms.Duplicate(), np.arange(3))
    assert first_copy.tolist() == second_copy.tolist() == [0, 1, 2]
    joined = apply(transforms.Concatenate(prepend=np.array([9]), append=np.array([8])), np.arange(2), np.arange(2, 4))
    assert joined.tolist() == [9, 0, 1, 2, 3, 8]
    with pytest.raises(TypeError, match="differ in dtype, int64, float64"):
        transforms.Concatenate()(np.arange(2), np.zeros(2))
    values, places, counts = apply(transforms.Unique(), np.array([[3, 1], [3, 2]]))
    assert (values.tolist(), places.tolist(), counts.tolist()) == ([3, 1, 2], [0, 1, 0, 2], [2, 1, 1])
    assert (places.dtype, counts.dtype) == (np.int32, np.int32)
    dataset = count_up(2).map(transforms.Duplicate(), "x", ["a", "b"]).map(transforms.Concatenate(0), ["a", "b"], ["c"])
    with pytest.raises(ValueError, match=r"zero-dimensional|axis"):
        rows(dataset)


def test_random_compositions() -> None:
    double = [lambda x: x * 2]
    applied = first(count_up(400).skip(1).map(transforms.RandomApply(double, 0.25)))
    changed = sum(value == 2 * (i + 1) for i, value in enumerate(applied))
    assert abs(changed - 100) < 45
    assert first(count_up(4).map(transforms.RandomApply(double, 1.0))) == [0, 2, 4, 6]
    chosen = first(
        count_up(300).map(transforms.RandomChoice([lambda x: x * 0, lambda x: x * 0 + 1, lambda x: x * 0 + 2]))
    )
    assert min(np.bincount(chosen)) > 65
    ordered = first(count_up(100).map(transforms.RandomOrder([lambda x: x * 0 + 3, lambda x: x * 0 + 4])))
    assert set(ordered) == {3, 4}
    composed = transforms.Compose([lambda x: x + 1, transforms.Compose([lambda x: x * 10])])
    assert composed(np.array(1)) == 20
    assert first(count_up(3).map(composed)) == [10, 20, 30]
    for bad in (transforms.RandomChoice, transforms.RandomOrder, transforms.Compose, transforms.RandomApply):
        with pytest.raises(ValueError, match="empty"):
            bad([])
    with pytest.raises(ValueError, match=r"prob: got 1\.5"):
        transforms.RandomApply(double, 1.5)


def test_eager_calls_follow_the_seed() -> None:
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    drawn = []
    for _ in range(2):
        ds.config.set_seed(9)
        drawn.append([vision.RandomCrop(3)(image).tolist() for _ in range(4)])
    assert drawn[0] == drawn[1]
    assert len({str(crop) for crop in drawn[0]}) > 1


def test_users_batched_operation_gets_whole_columns() -> None:
    class Sum:
        calls: ClassVar[list[tuple[int, ...]]] = []

        def __call__(self, x: np.ndarray) -> np.ndarray:
            return x.sum()

        def batched(self, rng: Rng, x: np.ndarray) -> np.ndarray:
            self.calls.append(x.shape)
            return x.sum(axis=1)

    dataset = ds.NumpySlicesDataset(np.arange(12).reshape(6, 2), ["x"], shuffle=False).map(Sum())
    assert first(dataset.batch(4)) == [[1, 5, 9, 13], [17, 21]]
    assert Sum.calls == [(4, 2), (2, 2)]
    ragged = ds.GeneratorDataset([np.arange(n) for n in (2, 3)], "x", shuffle=False).map(Sum())
    assert first(ragged) == [1, 3]


# Settings that change nothing


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


def test_flat_map() -> None:
    def twice(array: np.ndarray) -> ds.Dataset:
        return ds.NumpySlicesDataset(array, ["x"], shuffle=False).repeat(2)

    rows = ds.NumpySlicesDataset([[0, 1], [2, 3]], shuffle=False)
    found = rows.flat_map(twice)
    assert [row[0].tolist() for row in found.create_tuple_iterator(output_numpy=True)] == [0, 1, 0, 1, 2, 3, 2, 3]
    assert found.get_col_names() == ["x"] and found.get_dataset_size() == 8
    for wrong in (3, lambda array: array):
        with pytest.raises(TypeError, match="flat_map"):
            rows.flat_map(wrong)
    with pytest.raises(ValueError, match="no rows"):
        rows.filter(lambda x: False).flat_map(twice)


def test_a_source_takes_another_sampler_and_one_more() -> None:
    def numbers(dataset: ds.Dataset) -> list[int]:
        return [int(row["x"]) for row in dataset.create_dict_iterator(output_numpy=True, num_epochs=1)]

    source = ds.NumpySlicesDataset(np.arange(6), ["x"], shuffle=False)
    earlier = source.map(lambda x: x * 10)
    source.use_sampler(ds.SubsetSampler([4, 1]))
    assert numbers(source) == [4, 1] and source.get_dataset_size() == 2
    assert numbers(source.map(lambda x: -x)) == [-4, -1]
    assert numbers(earlier) == [0, 10, 20, 30, 40, 50]
    source = ds.NumpySlicesDataset(np.arange(6), ["x"], sampler=ds.SequentialSampler(1, 4))
    source.add_sampler(ds.SubsetSampler([2, 0]))
    assert numbers(source) == [3, 1]
    with pytest.raises(TypeError, match="no source"):
        earlier.use_sampler(ds.SequentialSampler())
    with pytest.raises(TypeError, match="expected a sampler"):
        source.use_sampler(None)
