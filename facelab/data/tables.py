"""Tables that say who is on each picture: CSV, TSV, or Parquet, of one's own or as Hugging Face publishes them."""

import csv
import io
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facelab.data.archives import StoredImages, open_place
from facelab.data.faceset import FaceSet
from facelab.data.parquet import LARGE, ParquetImages, open_parquet, rows_of_groups
from facelab.data.splits import KEPT_OUT
from facelab.errors import FacelabError, count, cut, shown
from facelab.files import read_bytes, read_text

# Names of columns, the first that is there is taken.
PICTURES: tuple[str, ...] = (
    "image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "bytes",
    "file", "path", "file_name", "filename", "file_path", "filepath", "image_path", "image_file",
)  # fmt: skip
IDENTITIES = (
    "identity",
    "identity_id",
    "person",
    "person_id",
    "subject",
    "subject_id",
    "label",
    "labels",
    "name",
    "id",
)
_SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("val", "valid", "validation", "dev"), "validation"
)
_SAMPLE = 256  # files that are looked for when a table is opened


def split_of(name: str) -> str:
    """Return the split that the name of a folder or file begins with (``train``, ``val-00000-of-00002``), or ``""``.

    Example:
        >>> split_of("validation-00000-of-00001.parquet"), split_of("trainer")
        ('validation', '')
    """
    word = re.split(r"[-_.\d]", name, maxsplit=1)[0].lower()
    return _SPLITS.get(word, "")


def load_table(path: Path | str) -> FaceSet:
    """Load a table with a row for each picture: ``.csv``, ``.tsv``, ``.parquet``, or a folder of Parquet files.

    One column holds the pictures, see :data:`PICTURES`: their bytes (Parquet), or their paths, relative to the folder
    of the table. One says who is on them, see :data:`IDENTITIES`; numbers that Parquet has names for (``ClassLabel`` of
    the package datasets) are those names, other numbers text of equal length; nothing or -1 is nobody knows. What else
    is a number, text or truth value becomes an attribute. Where Parquet files lie in folders or have names such as
    ``train-00000-of-00002.parquet``, the table has a column ``split``. No picture is read.

    Raises:
        FacelabError: a file is damaged, a line of a CSV has another number of fields (named by number), a column is
            missing, or a picture of a sample is not there.
    """
    path = Path(path)
    if path.is_dir() or path.suffix.lower() == ".parquet":
        return _load_parquet(path)
    table = _read_csv(path)
    picture = _choose(table.columns, PICTURES, path, "the path of each picture")
    who = _choose(table.columns, IDENTITIES, path, "who is on each picture")
    if (lacking := table[picture].isna() | (table[picture] == "")).any():
        raise FacelabError(f"{path}: {_row(int(lacking.to_numpy().argmax()))} names no picture in {picture!r}.")
    images = stored(path.parent, table[picture].array, path)
    about = {"identity": as_identities(_told(table, picture, who, path).array), "file": table[picture]}
    if "split" in table and "split" not in (picture, who):
        table["split"] = as_splits(table["split"], str(path))
    attributes = table.drop(columns=[picture, who])
    return FaceSet(path.stem, images, pd.DataFrame(about | {name: attributes[name] for name in attributes}))


def _told(table: pd.DataFrame, picture: str, who: str, path: Path) -> pd.Series:
    """Return who is on each picture, see :func:`tidied`.

    Raises:
        FacelabError: a quote was not closed, so that lines became one name; or one picture has two identities.
    """
    names = tidied(table[who])
    for column in (table[picture], names):
        if (broken := column.str.contains("[\r\n]", na=False)).any():
            row = int(broken.to_numpy().argmax())
            raise FacelabError(
                f"{path}: {_row(row)} holds {shown(column.iloc[row])} in one field: a quote before it is not closed."
            )
    twice = table[picture].duplicated(keep=False)
    if twice.any():
        of_each = names[twice].fillna("").groupby(table.loc[twice, picture]).nunique()
        if (of_each > 1).any():
            raise FacelabError(f"{path} names {cut(str(of_each.idxmax()))} in several rows, of different identities.")
    return names


def tidied(names: pd.Series) -> pd.Series:
    """Return the identities of a table of text without blanks around; where all are numbers, -1 is nobody knows."""
    names = names.str.strip()
    if "-1" in (seen := set(names.dropna().unique())) and all(re.fullmatch(r"-1|\d+", name) for name in seen):
        names = names.where(names != "-1", None)
    return names


def stored(folder: Path, names: Sequence[str], table: Path) -> StoredImages:
    """Return the pictures that a table names, relative to a folder.

    Raises:
        FacelabError: one of a sample is not there.
    """
    place = open_place(folder)
    for row in np.unique(np.linspace(0, len(names) - 1, min(len(names), _SAMPLE)).astype(int)).tolist():
        if names[row] not in place:
            raise FacelabError(f"{table}: {_row(row)} names {cut(names[row])}, which is not in {folder}.")
    return StoredImages(place, names)


def _row(row: int) -> str:
    return f"row {row + 1} below the header"


def _choose(columns: Iterable[str], names: Sequence[str], path: Path, what: str) -> str:
    """Return the first column that has one of these names, in any case of letters."""
    found = {str(column).lower(): str(column) for column in columns}
    chosen = next((found[name] for name in names if name in found), None)
    if chosen is None:
        raise FacelabError(
            f"{path} has no column for {what}, only {', '.join(map(cut, found.values()))}. Call it {names[0]!r}."
        )
    return chosen


def _read_csv(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import csv as arrow

    data = read_bytes(path, most=16 << 30)
    header = re.split(rb"\r?\n|\r", data[:65536], maxsplit=1)[0].decode("latin1").removeprefix("\xef\xbb\xbf")
    separator = max("\t;,", key=re.sub('"[^"]*"', "", header).count)  # a name between quotes may hold one
    columns = [column.strip() for column in next(csv.reader([header], delimiter=separator), [])]
    columns = [column.encode("latin1").decode("utf-8", "replace") for column in columns]
    if not header.strip() or len(set(columns)) < len(columns):
        raise FacelabError(f"{path} line 1 is {shown(header)}; expected the names of columns, each once.")
    texts = {column: pa.string() for column in columns if column.lower() in (*PICTURES, *IDENTITIES, "split")}
    try:
        table = arrow.read_csv(
            pa.BufferReader(data),
            arrow.ReadOptions(column_names=columns, skip_rows=1),
            arrow.ParseOptions(delimiter=separator, newlines_in_values=True),
            arrow.ConvertOptions(column_types=texts, null_values=[""], strings_can_be_null=True),
        )
    except pa.ArrowException as error:
        read_text(path)  # says so, if it is no UTF-8
        for number, row in csv_rows(data.decode("utf-8-sig"), str(path), separator):
            if len(row) != len(columns):
                raise FacelabError(
                    f"{path} line {number} has {count(len(row), 'field')}: {shown(separator.join(row))}; line 1 "
                    f"names {count(len(columns), 'column')}."
                ) from error
        raise FacelabError(f"{path} is no table: {str(error).splitlines()[0]}.") from error
    if not table.num_rows:
        raise FacelabError(f"{path} has no line below its header.")
    return table.to_pandas(self_destruct=True)


def csv_rows(text: str, where: str, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV that are not empty, and the number of the line where each ends.

    Raises:
        FacelabError: Python's reader refuses one; the message has its number.
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for row in rows:
            if row:
                yield rows.line_num, row
    except csv.Error as error:
        raise FacelabError(f"{where} line {rows.line_num} cannot be read as a row of a table: {error}.") from error


def as_splits(values: Any, where: str) -> pd.Categorical:
    """Return the values of a column ``split`` under facelab's names: ``val`` and ``Dev`` are ``validation``.

    Raises:
        FacelabError: one is no split; an image of it would be trained on though it may be kept for a test.
    """
    codes, unique = pd.factorize(values, use_na_sentinel=True)
    known = {split: split for split in (*_SPLITS.values(), *KEPT_OUT, "")} | _SPLITS
    given = ["" if value is None else str(value) for value in np.asarray(unique, object).tolist()]
    for value in given:
        if value.strip().lower() not in known:
            raise FacelabError(
                f"{where} has the split {shown(value)}; expected one of {', '.join(sorted(set(known) - {''}))}."
            )
    names = np.array([*(known[value.strip().lower()] for value in given), ""], object)  # the last: of the code -1
    return pd.Categorical(names[codes])


def as_identities(values: Any, names: Sequence[str] | None = None) -> pd.Categorical:
    """Return identities as categories.

    Args:
        values: text or numbers of each row, as a pandas or NumPy array; what is missing, or -1, is nobody knows.
        names: of the numbers.

    Raises:
        FacelabError: a number has no name.
    """
    try:
        codes, unique = pd.factorize(values, use_na_sentinel=True)
    except TypeError as error:  # lists
        raise FacelabError("an identity is a list; expected a number or text.") from error
    given = np.asarray(unique, object).tolist()
    texts = [text_of(value) for value in given]
    if given and all(isinstance(value, Real) and not isinstance(value, bool) for value in given):
        numbers = [int(text) for text in texts]
        if names is not None and max(numbers, default=0) >= len(names):
            raise FacelabError(f"the label {max(numbers)} has no name; there are {count(len(names), 'name')}.")
        digits = len(str(max(numbers, default=0)))
        texts = ["" if n < 0 else names[n] if names is not None else f"{n:0{digits}d}" for n in numbers]
    every = sorted({*texts, *([""] if (codes < 0).any() else [])})
    place = {text: code for code, text in enumerate(every)}
    own = np.array([*(place[text] for text in texts), place.get("", 0)], np.int32)  # the last: of the code -1
    return pd.Categorical.from_codes(own[codes], pd.Index(every, dtype=object))  # as a name need not be UTF-8


def text_of(value: Any) -> str:
    """Return an identity as text; a number with nothing behind its point is a whole one."""
    if isinstance(value, float | np.floating):
        if not value.is_integer():
            raise FacelabError(f"an identity is {value:g}, which is no whole number and no text.")
        value = int(value)
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _load_parquet(path: Path) -> FaceSet:
    import pyarrow as pa

    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    files = [file for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    if not files:
        raise FacelabError(f"{path} holds no .parquet file.")
    first = open_parquet(files[0])
    schema = first.schema_arrow
    picture = _choose(schema.names, PICTURES, files[0], "the pictures")
    who = _choose(schema.names, IDENTITIES, files[0], "who is on each picture")
    kind, inside = schema.field(picture).type, ""
    if pa.types.is_struct(kind):
        inside = "bytes" if kind.get_field_index("bytes") >= 0 else ""
        if not inside:
            raise FacelabError(f"{files[0]}: the column {picture!r} is a struct without a field 'bytes'.")
    names_paths = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (inside or names_paths or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise FacelabError(f"{files[0]}: the column {picture!r} is of type {kind}; expected bytes or paths.")
    columns = [field.name for field in schema if field.name == who or _is_plain(field.type)]
    columns = [name for name in columns if name != picture or names_paths]
    if inside and kind.get_field_index("path") >= 0:
        columns.append(f"{picture}.path")
    parts, groups = [], []
    for file in files:
        opened = open_parquet(file)
        if missing := {column.partition(".")[0] for column in (*columns, picture)} - set(opened.schema_arrow.names):
            raise FacelabError(f"{file} has no column {min(missing)!r}, which {files[0].name} has.")
        groups.append(rows_of_groups(opened))
        _warn_of_size(opened, file)
        try:
            parts.append(opened.read(columns=columns))
        except (OSError, ValueError) as error:
            raise FacelabError(f"{file} is damaged ({str(error).splitlines()[0]}). Get it again.") from error
    try:
        table = pa.concat_tables(parts, promote_options="permissive").unify_dictionaries()
    except (pa.ArrowException, ValueError) as error:
        raise FacelabError(
            f"{path}: its files have columns of different types: {str(error).splitlines()[0]}."
        ) from error
    if not table.num_rows:
        raise FacelabError(f"{path} has no rows.")
    about: dict[str, Any] = {}
    values = table.column(who)
    values = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
    about["identity"] = as_identities(values.to_pandas().array, _class_names(schema, who))
    if inside and len(columns) > 1 and "." in columns[-1]:
        paths = table.column(picture).combine_chunks().field("path")
        if not paths.null_count:
            about["file"] = paths.to_pandas()
    splits = [
        next(filter(None, map(split_of, file.relative_to(path).parts)), "") if path.is_dir() else "" for file in files
    ]
    if all(splits):
        about["split"] = pd.Categorical(np.repeat(np.array(splits, object), [len(part) for part in parts]))
    for name in table.column_names:
        if name not in (who, picture) and name not in about:
            values = table.column(name).to_pandas()
            about[name] = as_splits(values.array, str(path)) if name == "split" else values
    if not names_paths:
        return FaceSet(path.stem, ParquetImages(files, picture, groups), pd.DataFrame(about))
    about["file"] = table.column(picture).to_pandas()
    return FaceSet(
        path.stem, stored(path if path.is_dir() else path.parent, about["file"].array, path), pd.DataFrame(about)
    )


def _is_plain(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_string, types.is_large_string)
    return any(test(kind) for test in tests) or (types.is_dictionary(kind) and types.is_string(kind.value_type))


def _class_names(schema: Any, column: str) -> list[str] | None:
    """Return what the numbers of a column stand for, where the package datasets has written it."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names] if isinstance(names, list) else None


def _warn_of_size(file: Any, path: Path) -> None:
    """Say, in a UserWarning, that a row group is large: each picture that is asked for costs reading one."""
    sizes = [file.metadata.row_group(k).total_byte_size for k in range(file.metadata.num_row_groups)]
    if max(sizes, default=0) > LARGE:
        warnings.warn(
            f"{path} has row groups of up to {max(sizes) / 1e6:,.0f} MB, and for each picture one is read: slow, and "
            "so much memory in each worker. Write it again in smaller ones: facelab data convert.",
            stacklevel=4,
        )
