"""Datasets: MindSpore's `mindspore.dataset` in NumPy.

    import graphc.dataset as ds
    from graphc.dataset import transforms, vision

    data = ds.FashionMnistDataset(ds.embedded_fashion_mnist(), usage="train", shuffle=True)
    data = data.map([vision.Rescale(1 / 255, 0), vision.HWC2CHW()], "image").batch(32)
    for image, label in data.create_tuple_iterator(): ...

Read it from the bottom: `config`, `rng` (random numbers by position), `blocks` (columns of several samples), `rows`
(samples not yet read), `epochs` (one pass, its threads, its iterator), `transforms`, `columns` and `collate`, `steps`
(what each pipeline method does), `core` (`Dataset`, the methods); beside these `samplers`, `files` and `tables` for
`sources`, `letters` (with `matlab`), `faces`, `gallery`, `scenes`, `objects`, `speech`, `made_up`, `lines`, `corpora`,
`mindrecord` (whose values are written by `encoding`) and `tfrecords` (with `schema`), `buckets`, `text`, `images` for
`vision`, `tones`, which is offered by `vision` too, `audio`, and `dataloader`, another way to make batches.
"""

from graphc import aliases
from graphc.dataset import audio, config, dataloader, text, transforms, vision
from graphc.dataset.core import BatchInfo, Dataset
from graphc.dataset.core import zip_datasets as zip
from graphc.dataset.corpora import (
    AGNewsDataset,
    AmazonReviewDataset,
    CLUEDataset,
    CoNLL2000Dataset,
    DBpediaDataset,
    EnWik9Dataset,
    IMDBDataset,
    Multi30kDataset,
    PennTreebankDataset,
    SogouNewsDataset,
    SQuADDataset,
    SST2Dataset,
    UDPOSDataset,
    WikiTextDataset,
    YahooAnswersDataset,
    YelpReviewDataset,
)
from graphc.dataset.faces import CelebADataset, LFWDataset, WIDERFaceDataset
from graphc.dataset.files import DataFileError
from graphc.dataset.gallery import (
    Caltech101Dataset,
    Caltech256Dataset,
    Flowers102Dataset,
    Food101Dataset,
    OmniglotDataset,
    RenderedSST2Dataset,
    STL10Dataset,
)
from graphc.dataset.letters import EMnistDataset, QMnistDataset, SemeionDataset, SVHNDataset, USPSDataset
from graphc.dataset.lines import CSVDataset, TextFileDataset
from graphc.dataset.made_up import FakeImageDataset, RandomDataset
from graphc.dataset.mindrecord import MindDataset
from graphc.dataset.objects import CocoDataset, ManifestDataset, VOCDataset
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
from graphc.dataset.scenes import (
    CityscapesDataset,
    DIV2KDataset,
    KITTIDataset,
    LSUNDataset,
    Places365Dataset,
    SUN397Dataset,
)
from graphc.dataset.schema import Schema
from graphc.dataset.sources import (
    Cifar10Dataset,
    Cifar100Dataset,
    FashionMnistDataset,
    GeneratorDataset,
    ImageFolderDataset,
    KMnistDataset,
    MnistDataset,
    NumpySlicesDataset,
    PaddedDataset,
    embedded_fashion_mnist,
)
from graphc.dataset.speech import (
    CMUArcticDataset,
    LibriTTSDataset,
    LJSpeechDataset,
    SpeechCommandsDataset,
    YesNoDataset,
)
from graphc.dataset.tfrecords import TFRecordDataset

__all__ = [
    "AGNewsDataset",
    "AmazonReviewDataset",
    "BatchInfo",
    "CLUEDataset",
    "CMUArcticDataset",
    "CSVDataset",
    "Caltech101Dataset",
    "Caltech256Dataset",
    "CelebADataset",
    "Cifar10Dataset",
    "Cifar100Dataset",
    "CityscapesDataset",
    "CoNLL2000Dataset",
    "CocoDataset",
    "DBpediaDataset",
    "DIV2KDataset",
    "DataFileError",
    "Dataset",
    "DistributedSampler",
    "EMnistDataset",
    "EnWik9Dataset",
    "FakeImageDataset",
    "FashionMnistDataset",
    "Flowers102Dataset",
    "Food101Dataset",
    "GeneratorDataset",
    "IMDBDataset",
    "ImageFolderDataset",
    "IterSampler",
    "KITTIDataset",
    "KMnistDataset",
    "LFWDataset",
    "LJSpeechDataset",
    "LSUNDataset",
    "LibriTTSDataset",
    "ManifestDataset",
    "MindDataset",
    "MnistDataset",
    "Multi30kDataset",
    "NumpySlicesDataset",
    "OmniglotDataset",
    "PKSampler",
    "PaddedDataset",
    "PennTreebankDataset",
    "Places365Dataset",
    "QMnistDataset",
    "RandomDataset",
    "RandomSampler",
    "RenderedSST2Dataset",
    "SQuADDataset",
    "SST2Dataset",
    "STL10Dataset",
    "SUN397Dataset",
    "SVHNDataset",
    "Sampler",
    "Schema",
    "SemeionDataset",
    "SequentialSampler",
    "Shuffle",
    "SogouNewsDataset",
    "SpeechCommandsDataset",
    "SubsetRandomSampler",
    "SubsetSampler",
    "TFRecordDataset",
    "TextFileDataset",
    "UDPOSDataset",
    "USPSDataset",
    "VOCDataset",
    "WIDERFaceDataset",
    "WeightedRandomSampler",
    "WikiTextDataset",
    "YahooAnswersDataset",
    "YelpReviewDataset",
    "YesNoDataset",
    "audio",
    "config",
    "dataloader",
    "embedded_fashion_mnist",
    "text",
    "transforms",
    "vision",
    "zip",
]

aliases.attach(__name__)
