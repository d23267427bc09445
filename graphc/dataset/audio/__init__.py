"""Sound operations for `Dataset.map`: waveforms [..., time] or spectrograms [..., freq, time] in and out, in NumPy.

    from graphc.dataset import audio

    data.map([audio.MelSpectrogram(16000), audio.AmplitudeToDB()], "waveform")

`filters` are recursive, `levels` change values, `spectra` are over frequencies, `pitch` over rates, `masks` blank;
`banks` are tables, `kinds` the choices that operations offer. float64 stays, all else becomes float32.
"""

from graphc.dataset.audio.banks import *  # noqa: F403
from graphc.dataset.audio.filters import *  # noqa: F403
from graphc.dataset.audio.kinds import *  # noqa: F403
from graphc.dataset.audio.levels import *  # noqa: F403
from graphc.dataset.audio.masks import *  # noqa: F403
from graphc.dataset.audio.pitch import *  # noqa: F403
from graphc.dataset.audio.spectra import *  # noqa: F403
