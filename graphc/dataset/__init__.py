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
# ruff: noqa: F403 (each module says in its `__all__` what users see)

from graphc import aliases
from graphc.dataset import audio, config, core, dataloader, text, transforms, vision
from graphc.dataset.core import *
from graphc.dataset.corpora import *
from graphc.dataset.faces import *
from graphc.dataset.files import *
from graphc.dataset.gallery import *
from graphc.dataset.letters import *
from graphc.dataset.lines import *
from graphc.dataset.made_up import *
from graphc.dataset.mindrecord import MindDataset as MindDataset
from graphc.dataset.objects import *
from graphc.dataset.samplers import *
from graphc.dataset.scenes import *
from graphc.dataset.schema import *
from graphc.dataset.sources import *
from graphc.dataset.speech import *
from graphc.dataset.tfrecords import *

zip = core.zip_datasets

__all__ = ["audio", "config", "dataloader", "text", "transforms", "vision"]
__all__ += [name for name, value in vars().items() if getattr(value, "__module__", "").startswith(__name__)]

aliases.attach(__name__)
