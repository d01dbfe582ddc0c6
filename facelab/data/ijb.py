"""IJB-B and IJB-C as InsightFace gives them out: loosely cut pictures, landmarks and a score of each, and lists."""

from pathlib import Path

import numpy as np
import pandas as pd

from facelab.data.archives import Place, StoredImages, open_place
from facelab.data.faceset import FaceSet
from facelab.data.lists import called, in_folder, numbers, read_rows
from facelab.data.pieces import number_columns
from facelab.data.templates import TemplateLists
from facelab.errors import FacelabError, count


def load_ijb(path: Path | str, name: str) -> tuple[FaceSet, TemplateLists]:
    """Load IJB-B or IJB-C, and the lists of its protocols 1:1 and, where they are there, 1:N.

    The table has the columns ``identity`` (of the lists of 1:N; empty where these do not say it), ``file``,
    ``template``, ``medium`` (a photograph or a video), ``weight`` (the score of the detector) and ``landmarks``. Source
    of the protocols: C. Whitelam et al., "IARPA Janus Benchmark-B Face Dataset", CVPRW 2017; B. Maze et al., "IARPA
    Janus Benchmark - C: Face Dataset and Protocol", ICB 2018.

    Args:
        path: the folder or archive, with ``loose_crop/`` and ``meta/`` in it.
        name: ``"ijbb"`` or ``"ijbc"``, with which the files of ``meta/`` begin.

    Raises:
        FacelabError: a list or a picture is missing, a line is damaged (named by number), or the lists are not of one
            set.
    """
    place = open_place(path)
    media, points, pairs = (
        _list(place, f"{name}_{what}")
        for what in ("face_tid_mid.txt", "name_5pts_score.txt", "template_pair_label.txt")
    )
    at, rows = read_rows(place, media, 3)
    template, medium = numbers(place, media, at, rows).T
    points_at, told = read_rows(place, points, 12)
    values = numbers(place, points, points_at, told, whole=False)
    if [row[0] for row in rows] != [row[0] for row in told]:
        raise FacelabError(
            f"{place.path}: {points} lists {count(len(told), 'picture')}, {media} {len(rows)}, and they are not the "
            "same in the same order. Get both again."
        )
    folder = next(
        (f"{file.partition('loose_crop/')[0]}loose_crop/" for file in place.names if "loose_crop/" in file), ""
    )
    files = in_folder(place, folder, media, at, rows)
    first, second, genuine = number_columns(place.read(pairs, most=4 << 30), f"{place.path}: {pairs}", 3, " ")
    if not np.isin(genuine, (0, 1)).all():
        raise FacelabError(
            f"{place.path}: {pairs} line {int((~np.isin(genuine, (0, 1))).argmax()) + 1}: expected 0 or 1."
        )
    galleries = {}
    for part in ("G1", "G2", "S1", "S2"):
        if file := called(place, f"{name}_1N_gallery_{part}.csv"):
            galleries[part] = _subjects(place, file)
    probes = called(place, f"{name}_1N_probe_mixed.csv")
    searched = [*galleries.values(), _subjects(place, probes)] if galleries and probes else []
    lists = TemplateLists(first, second, genuine > 0)
    if searched:
        lists = TemplateLists(first, second, genuine > 0, galleries, searched[-1])
    for ids in (first, second, *(ids for ids, _ in searched)):
        if (lacking := ~np.isin(ids, template)).any():
            raise FacelabError(
                f"{place.path}: the lists name template {ids[lacking][0]}, of which {media} has no picture."
            )
    who = {int(t): str(s) for ids, subjects in searched for t, s in zip(ids, subjects, strict=True)}
    identity = pd.Categorical([who.get(t, "") for t in template.tolist()])
    table = pd.DataFrame({"identity": identity, "file": files, "template": template, "medium": medium})
    table["weight"] = values[:, 10]
    table["landmarks"] = list(values[:, :10].reshape(-1, 5, 2))
    return FaceSet(name, StoredImages(place, files), table), lists


def _list(place: Place, name: str) -> str:
    file = called(place, name)
    if file is None:
        raise FacelabError(f"{place.path} holds no {name}: give the folder with loose_crop/ and meta/.")
    return file


def _subjects(place: Place, file: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the templates of a list of 1:N and who is on each: the first two columns, below a line of names."""
    template, subject = number_columns(place.read(file), f"{place.path}: {file}", 2, ",", header=True)
    ids, rows = np.unique(template, return_index=True)  # a line for each picture in some copies
    return ids, subject[rows]
