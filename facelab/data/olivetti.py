"""The ORL photographs at 64 x 64 pixels, as scikit-learn keeps them: ``fetch_olivetti_faces``."""

import pickle
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from facelab.data.faceset import FaceSet
from facelab.data.unpickle import unpickle_joblib
from facelab.errors import FacelabError
from facelab.files import read_bytes

_FILE = "olivetti_py3.pkz"
_MOST = 16 << 20  # bytes: 400 pictures of 64 x 64 as float64 are 13 million


def load_olivetti(path: Path | str) -> FaceSet:
    """Load the file that scikit-learn's ``fetch_olivetti_faces`` leaves in its folder: 40 identities x 10 photographs.

    They are those of ORL, cut to squares and smaller; the file, a pickle of joblib, is read without running its code.
    The table has the columns ``identity`` (``"s01"`` .. ``"s40"``, in scikit-learn's order, which need not be that of
    ORL) and ``photo``.

    Args:
        path: the file ``olivetti_py3.pkz``, or the folder that holds it (``~/scikit_learn_data``).

    Raises:
        FacelabError: it is missing, damaged, asks for code to be run, or holds something else.
    """
    path = Path(path) / _FILE if Path(path).is_dir() else Path(path)
    data = read_bytes(path)
    try:
        if data[:1] == b"x":
            machine = zlib.decompressobj()
            data = machine.decompress(data, _MOST)
            if not machine.eof:
                raise pickle.UnpicklingError("it is cut short, or too large")
        faces = unpickle_joblib(data)
        if (
            faces.shape not in ((400, 4096), (400, 64, 64))
            or faces.dtype.kind not in "fu"
            or not np.isfinite(faces).all()
        ):
            raise pickle.UnpicklingError(f"it holds an array of shape {faces.shape} and type {faces.dtype}")
    except Exception as error:  # what a damaged pickle raises is without end
        known = isinstance(error, pickle.UnpicklingError) and str(error)
        reason = str(error).rstrip(".") if known else f"it is damaged ({type(error).__name__})"
        raise FacelabError(f"{path} is not the file of scikit-learn's fetch_olivetti_faces: {reason}.") from error
    # Pixels stand column by column, as in the file of MATLAB that scikit-learn made it of.
    grey = faces.reshape(400, 64, 64).transpose(0, 2, 1).astype(np.float64)
    grey = (
        np.round(255 * (grey - grey.min()) / np.ptp(grey)).astype(np.uint8) if np.ptp(grey) else grey.astype(np.uint8)
    )
    table = pd.DataFrame({
        "identity": [f"s{k // 10 + 1:02d}" for k in range(400)], "photo": [k % 10 + 1 for k in range(400)]
    })  # fmt: skip
    return FaceSet("olivetti", np.repeat(grey[..., None], 3, axis=3), table)
