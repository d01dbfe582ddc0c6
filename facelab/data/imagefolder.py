"""Folders as Hugging Face and torchvision lay them out: ``split/label/file``, or ``metadata.csv`` beside pictures."""

import json
import os
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from facelab.data.archives import Place, StoredImages, open_place
from facelab.data.faceset import FaceSet
from facelab.data.images import SUFFIXES
from facelab.data.tables import IDENTITIES, as_identities, as_splits, csv_rows, split_of, tidied
from facelab.errors import FacelabError, ImageError, count, cut, shown

METADATA = ("metadata.csv", "metadata.jsonl")


def load_imagefolder(path: Path | str) -> tuple[FaceSet, list[ImageError]]:
    """Load a folder or archive of the layout ``split/label/file``, with or without ``metadata.csv`` (or ``.jsonl``).

    Who is on a picture is what its metadata says, see :data:`facelab.data.tables.IDENTITIES`, else the name of its
    folder: one name in two splits is one identity. The table has the columns ``identity``, ``file``, ``split`` where
    the first folder of every picture is one, and those of the metadata. No picture is read.

    Returns:
        The FaceSet, and an error for each picture that the metadata does not know.

    Raises:
        FacelabError: the metadata names a picture that is not there, or one twice, or a line of it is damaged; the
            message has its number. Or nothing says who is on a picture.
    """
    place = open_place(path)
    names = place.names
    pictures = [name for name in names if os.path.splitext(name)[1].lower() in SUFFIXES]
    if not pictures:
        raise FacelabError(f"{path} holds no picture.")
    told = {name: row for name in names if PurePath(name).name in METADATA for name, row in _metadata(place, name)}
    rows = [told.get(name, {}) for name in pictures] if told else [{}] * len(pictures)
    errors = []
    if told:
        there = set(pictures)
        if missing := next((name for name in told if name not in there), None):
            raise FacelabError(
                f"{path}: {told[missing]['']} names {cut(missing)}, which is not there. Get the whole set."
            )
        errors = [
            ImageError(f"{path}: {cut(name)} is not in the metadata; left out.")
            for name in pictures
            if name not in told
        ]
        pictures, rows = [name for name in pictures if name in told], [told[name] for name in pictures if name in told]
    keys = dict.fromkeys(key for row in rows for key in row if key)
    who = next((key for name in IDENTITIES for key in keys if key.lower() == name), None)
    tops = {name.partition("/")[0] for name in pictures}
    top = (
        f"{min(tops)}/" if len(tops) == 1 and all("/" in name for name in pictures) and not split_of(min(tops)) else ""
    )
    inside = [name.removeprefix(top) for name in pictures]  # of the folder that an archive may hold
    splits = [split_of(name.partition("/")[0]) if "/" in name else "" for name in inside]
    if who is None:
        depth = 1 + all(splits)
        if wrong := next((name for name in inside if name.count("/") != depth), None):
            expected = "SPLIT/LABEL/FILE" if depth == 2 else "LABEL/FILE"
            raise FacelabError(f"{path}: {cut(wrong)} does not lie in {expected}, so it is not clear who is on it.")
        identities: Any = as_identities(pd.Series([name.split("/")[-2] for name in pictures], dtype=object).array)
    else:
        told_of = pd.Series([row.get(who) for row in rows], dtype=object)
        if told_of.map(lambda value: value is None or isinstance(value, str)).all():
            told_of = tidied(told_of)
        identities = as_identities(told_of.array)
    about: dict[str, Any] = {"identity": identities, "file": pd.Series(pictures, dtype=object)}
    if all(splits):
        about["split"] = pd.Categorical(splits)
    about |= {key: pd.Series([row.get(key) for row in rows]) for key in keys if key not in (who, *about)}
    if "split" in about and not all(splits):
        about["split"] = as_splits(about["split"].array, str(path))
    return FaceSet(place.path.name.partition(".")[0], StoredImages(place, pictures), pd.DataFrame(about)), errors


def _metadata(place: Place, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return for each line of metadata which picture it is of, and what it says; under ``""`` where it stands."""
    where = f"{place.path}: {name}"
    try:
        text = place.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FacelabError(f"{where} line {line} is not UTF-8; save it as UTF-8.") from error
    found: dict[str, dict[str, Any]] = {}
    folder = name.rpartition("/")[0]
    for number, row in _rows(text, where, jsonl=name.endswith("l")):
        file = row.pop("file_name", None)
        if not isinstance(file, str) or not file:
            raise FacelabError(f"{where} line {number} has no 'file_name', which says which picture it is of.")
        parts = [part for part in (folder + "/" + file.replace("\\", "/")).split("/") if part not in ("", ".")]
        if ".." in parts:
            raise FacelabError(f"{where} line {number}: {cut(file)} leads out of the folder.")
        key = "/".join(parts)
        if key in found:
            raise FacelabError(f"{where} line {number} names {cut(file)} again; each picture has one line.")
        found[key] = row | {"": f"{name} line {number}"}
    return list(found.items())


def _rows(text: str, where: str, *, jsonl: bool) -> list[tuple[int, dict[str, Any]]]:
    rows: list[tuple[int, dict[str, Any]]] = []
    if jsonl:
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise FacelabError(f"{where} line {number} is no JSON object: {shown(line)}.")
            rows.append(
                (number, {key: one for key, one in row.items() if one is None or isinstance(one, str | int | float)})
            )
        return rows
    lines = csv_rows(text, where)
    columns = [column.strip() for column in next(lines, (1, []))[1]]
    if len(set(columns)) < len(columns):
        raise FacelabError(f"{where} line 1 is {shown(','.join(columns))}; expected the names of columns, each once.")
    for number, fields in lines:
        if len(fields) != len(columns):
            raise FacelabError(
                f"{where} line {number} has {count(len(fields), 'field')}: {shown(','.join(fields))}; line 1 "
                f"names {count(len(columns), 'column')}."
            )
        rows.append((number, dict(zip(columns, fields, strict=True))))
    return rows
