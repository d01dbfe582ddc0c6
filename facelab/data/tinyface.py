"""TinyFace: small faces as surveillance sees them, searched among faces of strangers."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from facelab.data.archives import Place, StoredImages, open_place
from facelab.data.faceset import FaceSet
from facelab.data.images import is_picture
from facelab.data.lists import called
from facelab.data.templates import TemplateLists
from facelab.errors import FacelabError, cut, shown

_LISTS = {"gallery": "gallery_match_img_ID_pairs.mat", "probe": "probe_img_ID_pairs.mat"}
# In a process of its own: a damaged file has crashed SciPy's reader, and with it all that runs beside it.
_READ = """
import io, json, sys
import numpy as np
from scipy.io import loadmat
held, role = loadmat(io.BytesIO(sys.stdin.buffer.read())), sys.argv[1]
names = [str(np.asarray(one).ravel()[0]) for one in held[role + "_set"].ravel()]
json.dump([names, [int(one) for one in held[role + "_ids"].ravel()]], sys.stdout)
"""
_FOLDERS = {"gallery": "Gallery_Match", "probe": "Probe"}


def load_tinyface(path: Path | str) -> tuple[FaceSet, TemplateLists]:
    """Load the test part of TinyFace, and its protocol: probes are searched in a gallery with many distractors.

    The table has the columns ``identity`` (empty for distractors, whom nobody has named), ``file``, ``split``
    (``gallery``, ``probe`` or ``distractor``) and ``template``: every picture is one of its own. Source: Z. Cheng, X.
    Zhu and S. Gong, "Low-Resolution Face Recognition", ACCV 2018.

    Args:
        path: the folder or archive that holds ``Testing_Set/``.

    Raises:
        FacelabError: a list is missing or no list of MATLAB, or a picture that it names is not there.
    """
    place = open_place(path)
    folders: dict[str, dict[str, str]] = {folder: {} for folder in (*_FOLDERS.values(), "Gallery_Distractor")}
    for file in place.names:
        parts = file.split("/")
        if len(parts) > 1 and parts[-2] in folders and is_picture(file):
            folders[parts[-2]][parts[-1]] = file
    rows: list[tuple[str, str, str]] = []
    for role, name in _LISTS.items():
        for picture, subject in _pairs(place, name, role):
            if picture not in folders[_FOLDERS[role]]:
                raise FacelabError(f"{place.path}: {name} names {cut(picture)}, which is not in {_FOLDERS[role]}/.")
            rows.append((str(subject), folders[_FOLDERS[role]][picture], role))
    rows += [("", file, "distractor") for _, file in sorted(folders["Gallery_Distractor"].items())]
    table = pd.DataFrame(rows, columns=["identity", "file", "split"])
    role, ids = table["split"].to_numpy(), np.arange(len(table))
    table["template"] = ids
    who = np.array([int(name) if name else -1 - k for k, name in enumerate(table["identity"])])  # each stranger another
    enrolled = role != "probe"
    lists = TemplateLists(
        galleries={"with distractors": (ids[enrolled], who[enrolled])}, probes=(ids[~enrolled], who[~enrolled])
    )
    return FaceSet("tinyface", StoredImages(place, table["file"].tolist()), table), lists


def _pairs(place: Place, name: str, role: str) -> list[tuple[str, int]]:
    """Return names of pictures and numbers of identities of a list, which MATLAB has written."""
    file = called(place, name)
    if file is None:
        raise FacelabError(f"{place.path} holds no {name}: give the folder with Testing_Set/.")
    where = f"{place.path}: {file}"
    arguments = [sys.executable, "-I", "-c", _READ, role]
    told = subprocess.run(arguments, input=place.read(file), capture_output=True, check=False)
    try:
        names, numbers = json.loads(told.stdout)
    except ValueError as error:
        reason = told.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise FacelabError(
            f"{where} is no list of TinyFace ({shown(reason or 'it cannot be read')}). Get it again."
        ) from error
    if len(names) != len(numbers) or not names:
        raise FacelabError(f"{where} lists {len(names)} pictures and {len(numbers)} identities. Get it again.")
    return list(zip(names, numbers, strict=True))
