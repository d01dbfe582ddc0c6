"""SynthFaces: rendered faces with known truth, made on any laptop. Nobody on them exists.

    identity (a seed -> who)  +  scene (a seed -> how seen)  ->  renderer  ->  picture and truth  ->  data set

``load_synthfaces("synthfaces-mini")`` renders the set on first use and gives a FaceSet.
"""

from facelab.synth.dataset import load_synthfaces, make
from facelab.synth.recipe import PRESETS, SynthRecipe
from facelab.synth.scene import Ranges
from facelab.synth.shards import COLUMNS

__all__ = ["COLUMNS", "PRESETS", "Ranges", "SynthRecipe", "load_synthfaces", "make"]
