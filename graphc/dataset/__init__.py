"""Datasets: MindSpore's `mindspore.dataset` in NumPy.

    import graphc.dataset as ds
    from graphc.dataset import transforms, vision

    data = ds.FashionMnistDataset(ds.embedded_fashion_mnist(), usage="train", shuffle=True)
    data = data.map([vision.Rescale(1 / 255, 0), vision.HWC2CHW()], "image").batch(32)
    for image, label in data.create_tuple_iterator(): ...

Read it from the bottom: `config`, `rng` (random numbers by position), `blocks` (columns of several samples), `rows`
(samples not yet read), `epochs` (one pass, its threads, its iterator), `transforms`, `columns` and `collate`, `steps`
(what each pipeline method does), `core` (`Dataset`, the methods); beside these `samplers`, `files` and `tables` for
`sources`, `faces`, `lines`, `mindrecord` (whose values are written by `encoding`) and `tfrecords` (with `schema`),
`buckets`, `text`, `images` for `vision`, `tones`, which is offered by `vision` too, `audio`, and `dataloader`, another
way to make batches.
"""

from graphc.dataset import audio, config, dataloader, text, transforms, vision
from graphc.dataset.core import BatchInfo, Dataset
from graphc.dataset.core import zip_datasets as zip
from graphc.dataset.faces import CelebADataset, FakeImageDataset
from graphc.dataset.files import DataFileError
from graphc.dataset.lines import CSVDataset, TextFileDataset
from graphc.dataset.mindrecord import MindDataset
from graphc.dataset.samplers import (
    DistributedSampler,
    IterSampler,
    PKSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Shuffle,
    SubsetRandomSampler,
    SubsetSampler,
    WeightedRandomSampler,
)
from graphc.dataset.schema import Schema
from graphc.dataset.sources import (
    Cifar10Dataset,
    Cifar100Dataset,
    FashionMnistDataset,
    GeneratorDataset,
    ImageFolderDataset,
    MnistDataset,
    NumpySlicesDataset,
    PaddedDataset,
    embedded_fashion_mnist,
)
from graphc.dataset.tfrecords import TFRecordDataset

__all__ = [
    "BatchInfo",
    "CSVDataset",
    "CelebADataset",
    "Cifar10Dataset",
    "Cifar100Dataset",
    "DataFileError",
    "Dataset",
    "DistributedSampler",
    "FakeImageDataset",
    "FashionMnistDataset",
    "GeneratorDataset",
    "ImageFolderDataset",
    "IterSampler",
    "MindDataset",
    "MnistDataset",
    "NumpySlicesDataset",
    "PKSampler",
    "PaddedDataset",
    "RandomSampler",
    "Sampler",
    "Schema",
    "SequentialSampler",
    "Shuffle",
    "SubsetRandomSampler",
    "SubsetSampler",
    "TFRecordDataset",
    "TextFileDataset",
    "WeightedRandomSampler",
    "audio",
    "config",
    "dataloader",
    "embedded_fashion_mnist",
    "text",
    "transforms",
    "vision",
    "zip",
]
