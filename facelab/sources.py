"""One door to faces: the table of what a user can name, and what opens it. Every verb goes through here.

A new source is three places: its reader in ``facelab.data`` (a function that returns a FaceSet), its card in
``facelab/data/cards``, its row in :data:`SOURCES`. Help texts and errors are made from the table.

What comes with a package or is rendered is opened by its name: ``orl``. What lies on disk, in a folder or in the
archive that it came in, is opened by its path, and known by its layout; or it is named: ``celeba:PATH``.
"""

import importlib
import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from facelab.errors import FacelabError
from facelab.progress import say

if TYPE_CHECKING:  # help texts are made from the table, and need no pandas
    from facelab.align import ChipReport
    from facelab.align.warp import Method
    from facelab.data import FaceSet, PairList
    from facelab.data.archives import Layout
    from facelab.data.templates import TemplateLists
    from facelab.detect import Detector
    from facelab.detect.detection import Which

Images = Literal["auto", "chips", "photographs"]
Missing = Literal["raise", "skip", "default"]
_FEW = 8  # pictures: the majority of fewer tells little, so each must be clearer
_SAMPLE = 24  # pictures of a folder that are looked at, to know whether they are chips


def _layout(*patterns: str) -> "Callable[[Layout], bool]":
    """Recognise a place in which there is something called so for each pattern, see :meth:`Layout.has`."""
    return lambda place: place.has(*patterns)


def _has_records(place: "Layout") -> bool:
    return place.path.endswith(".rec") or place.has("*.rec")


def _asks(where: str, place: "Layout") -> bool:
    """Ask a function ``"module:function"`` about a path; it is imported when it is needed."""
    module, function = where.split(":")
    return getattr(importlib.import_module(module), function)(place.path)


def _kind(place: "Layout") -> str | None:
    """Return what shards of facelab hold, by their recipe; None if it is another place."""
    if "://" not in place.path and not (place.is_folder and place.has("*.parquet", "recipe.json")):
        return None
    from facelab.synth.shards import kind_of

    if (kind := kind_of(place.path)) == "embeddings":
        raise FacelabError(
            f"{place.path} holds embeddings, and no pictures any more; measure them so: facelab evaluate {place.path}"
        )
    return kind


@dataclass(frozen=True)
class Source:
    """A row of the table.

    Attributes:
        name: what the user gives; of a row for paths, before a colon: ``celeba:PATH``.
        title: what there is, in a line.
        holds: ``photographs``, in which faces must be detected and aligned; ``chips``; ``pairs``: chips, and which of
            them to compare, but not who is on them; ``either``: photographs or chips, see :func:`are_chips`.
        loader: ``"module:function"``, imported when it is used. It gets the path, or of a named source ``arguments``,
            and ``show_progress`` if it takes that. It returns a FaceSet, alone or with the errors of the files that it
            left out, or with a :class:`facelab.data.PairList` or :class:`facelab.data.templates.TemplateLists`.
        arguments: of the loader; of a row for paths, after the path.
        fits: of a row for paths: whether what lies there is of this kind. The first row that fits opens it; but where
            its siblings fit too (``cfp-ff``, ``cfp-fp``: two lists in one place), the user must name one.
        how: how its chips came about.
        missing: what :func:`facelab.align.make_chips` does with its photographs in which no face is found.
        credit: whom its pictures are from; said wherever one is shown.
        card: name of its data card; empty for what is the user's own.
        withdrawn: of a set that its makers have taken back, what a reader should know; said before it is read.
    """

    name: str
    title: str
    holds: Literal["photographs", "chips", "pairs", "either"]
    loader: str
    arguments: tuple[str, ...] = ()
    fits: "Callable[[Layout], bool] | None" = None
    how: str = ""
    missing: Missing = "skip"
    credit: str = ""
    card: str = ""
    withdrawn: str = ""


_SYNTH = "facelab.synth:load_synthfaces"

SOURCES = (
    Source(
        "orl",
        "400 real photographs of 40 people",
        "photographs",
        "facelab.data.orl:load_orl",
        missing="default",  # each of them is a portrait
        credit="ORL photographs: AT&T Laboratories Cambridge (Samaria and Harter, 1994)",
        card="orl",
    ),
    Source(
        "synthfaces-mini",
        "64 rendered identities x 16 pictures",
        "chips",
        _SYNTH,
        ("synthfaces-mini",),
        how="rendered chips",
        card="synthfaces",
    ),
    Source(
        "synthfaces-500",
        "600 rendered identities x 24 pictures, 100 of them held out",
        "chips",
        _SYNTH,
        ("synthfaces-500",),
        how="rendered chips",
        card="synthfaces",
    ),
    Source(
        "strangers",
        "16 identities of synthfaces-mini that the course's networks have not seen",
        "chips",
        "facelab.synth.strangers:load_strangers",
        how="rendered chips, identities that the course's networks have not seen",
        card="synthfaces",
    ),
    Source(
        "bin",
        "an InsightFace .bin file: pairs of chips, two by two",
        "pairs",
        "facelab.data.pairs:load_bin",
        fits=lambda place: place.path.endswith(".bin"),
        how="chips as packed for InsightFace",
    ),
    Source(
        "shards",
        "a folder or fsspec address that facelab data convert wrote",
        "either",
        "facelab.convert:load_face_shards",
        fits=lambda place: _kind(place) == "faces",
    ),
    Source(
        "rendered",
        "a folder or fsspec address that facelab synth made: rendered chips",
        "chips",
        _SYNTH,
        fits=lambda place: bool(_kind(place)),
        how="rendered chips",
        card="synthfaces",
    ),
    Source(
        "insightface",
        "a RecordIO set of InsightFace (train.rec, train.idx, property): chips",
        "chips",
        "facelab.data.recordio:load_recordio",
        fits=lambda place: _has_records(place) and _asks("facelab.data.recordio:of_insightface", place),
        how="chips as packed for InsightFace",
        card="web-scale",
    ),
    Source(
        "recordio",
        "a RecordIO set of MXNet's im2rec (a .rec and its .idx)",
        "either",
        "facelab.data.recordio:load_recordio",
        fits=_has_records,
    ),
    Source(
        "celeba500",
        "CelebA-500 as the coursework ships it: training images with their split, queries and distractors",
        "either",
        "facelab.data.celeba500:load_celeba500",
        fits=lambda place: place.has("celebA_anno.txt", "celebA_imgs/") or place.has("celebA_anno_query.csv"),
        missing="default",
        card="celeba",
    ),
    Source(
        "celeba",
        "CelebA, 202,599 photographs of 10,177 people: a folder with identity_CelebA.txt and the pictures",
        "either",
        "facelab.data.celeba:load_celeba",
        fits=lambda place: place.has("identity_CelebA.*") or place.has("list_attr_celeba.*"),
        missing="default",
        card="celeba",
    ),
    Source(
        "xqlfw",
        "XQLFW, LFW's people in good and poor quality, with xqlfw_pairs.txt",
        "either",
        "facelab.data.benchmarks:load_lfw",
        ("xqlfw", "xqlfw_pairs.txt"),
        fits=_layout("xqlfw_pairs.txt"),
        missing="default",
        card="lfw",
    ),
    Source(
        "calfw",
        "CALFW, pairs of LFW's people across ages, with pairs_CALFW.txt",
        "either",
        "facelab.data.benchmarks:load_flat_lfw",
        ("calfw", "pairs_CALFW.txt"),
        fits=_layout("pairs_CALFW.txt"),
        missing="default",
        card="lfw",
    ),
    Source(
        "cplfw",
        "CPLFW, pairs of LFW's people across poses, with pairs_CPLFW.txt",
        "either",
        "facelab.data.benchmarks:load_flat_lfw",
        ("cplfw", "pairs_CPLFW.txt"),
        fits=_layout("pairs_CPLFW.txt"),
        missing="default",
        card="lfw",
    ),
    Source(
        "lfw",
        "LFW, 13,233 photographs of 5,749 people: original, funneled or deep-funneled, with pairs.txt",
        "either",
        "facelab.data.benchmarks:load_lfw",
        # Faces of one's own may lie in the same layout, and chips that facelab align made of LFW are a folder.
        fits=lambda place: (
            (place.has("Aaron_Eckhart/") or place.has("lfw_funneled/") or place.has("lfw-deepfunneled/"))
            and not place.has("chips.csv")
        ),
        missing="default",
        card="lfw",
    ),
    *(
        Source(
            f"cfp-{protocol.lower()}",
            f"CFP, 500 people, {what}, with its lists in Protocol/",
            "either",
            "facelab.data.benchmarks:load_cfp",
            (protocol,),
            fits=_layout("Pair_list_F.txt", "Pair_list_P.txt"),
            missing="default",
            card="cfp",
        )
        for protocol, what in (("FF", "frontal with frontal"), ("FP", "frontal with profile"))
    ),
    Source(
        "agedb",
        "AgeDB, photographs of known people with their ages: NUMBER_NAME_AGE_GENDER.jpg",
        "either",
        "facelab.data.benchmarks:load_agedb",
        fits=_layout("[0-9]*_*_[0-9]*_[fm].jpg"),
        missing="default",
        card="agedb",
    ),
    *(
        Source(
            f"rfw-{race.lower()}",
            f"RFW, its part called {race}, with txts/{race}/{race}_pairs.txt",
            "either",
            "facelab.data.benchmarks:load_rfw",
            (race,),
            fits=_layout(f"{race}_pairs.txt"),
            missing="default",
            card="rfw",
            withdrawn="RFW is made of MS-Celeb-1M, which Microsoft took back in 2019; see facelab data card rfw.",
        )
        for race in ("African", "Asian", "Caucasian", "Indian")
    ),
    *(
        Source(
            f"ijb-{part}",
            f"IJB-{part.upper()} as InsightFace gives it out, with loose_crop/ and meta/: templates of celebrities",
            "photographs",
            "facelab.data.ijb:load_ijb",
            (f"ijb{part}",),
            fits=_layout(f"ijb{part}_face_tid_mid.txt"),
            card="ijb",
            withdrawn="NIST has given out IJB-B and IJB-C no more since March 2023; see facelab data card ijb.",
        )
        for part in "bc"
    ),
    Source(
        "memfile",
        "a set of pairs as AdaFace and face.evoLVe pack it: NAME/memfile/mem_file.dat and NAME_list.npy beside NAME",
        "pairs",
        "facelab.data.memfile:load_memfile",
        fits=_layout("mem_file.dat", "mem_file.conf"),
        how="chips as packed for AdaFace, whose numbers become colours again",
        missing="default",
    ),
    Source(
        "tinyface",
        "TinyFace, faces of 20 pixels: Testing_Set/ with Gallery_Match, Gallery_Distractor and Probe",
        "chips",
        "facelab.data.tinyface:load_tinyface",
        fits=_layout("gallery_match_img_ID_pairs.mat"),
        how="faces as cut out for TinyFace, not aligned",
        card="tinyface",
    ),
    Source(
        "digiface",
        "DigiFace-1M, rendered faces: its zip files as they come, in one folder, or unpacked",
        "either",
        "facelab.data.digiface:load_digiface",
        fits=lambda place: place.has("subjects_*_imgs*") or "subjects_" in Path(place.path).name,
        card="digiface",
    ),
    Source(
        "olivetti",
        "the ORL photographs as scikit-learn keeps them (fetch_olivetti_faces): olivetti_py3.pkz",
        "photographs",
        "facelab.data.olivetti:load_olivetti",
        fits=lambda place: place.path.endswith("olivetti_py3.pkz") or place.has("olivetti_py3.pkz"),
        missing="default",
        credit="ORL photographs: AT&T Laboratories Cambridge (Samaria and Harter, 1994)",
        card="orl",
    ),
    Source(
        "webdataset",
        "WebDataset: tar files with KEY.jpg and KEY.cls, .json or .txt, or a folder of them",
        "either",
        "facelab.data.webdataset:load_webdataset",
        fits=lambda place: (
            (place.has("*.tar") or (place.is_archive and any(place.has(f"*.{end}") for end in ("cls", "json", "txt"))))
            and _asks("facelab.data.webdataset:of_webdataset", place)
        ),
    ),
    Source(
        "table",
        "a table with a row for each picture (.csv, .tsv, .parquet), or a folder of Parquet files, as of Hugging Face",
        "either",
        "facelab.data.tables:load_table",
        fits=lambda place: (
            Path(place.path).suffix.lower() in (".csv", ".tsv", ".parquet")
            or (place.is_folder and place.has("*.parquet"))
        ),
    ),
    Source(
        "imagefolder",
        "a folder or an archive of SPLIT/LABEL/FILE, or with metadata.csv or .jsonl, as of Hugging Face",
        "either",
        "facelab.data.imagefolder:load_imagefolder",
        fits=lambda place: (
            place.has("metadata.csv")
            or place.has("metadata.jsonl")
            or (place.has("train/") and any(place.has(f"{split}/") for split in ("test", "validation", "val")))
        ),
    ),
    Source(
        "folder",
        "a folder, or an archive of one, with one sub-folder per identity: your own photographs, or aligned chips",
        "either",
        "facelab.data.folder:load_folder",
        fits=lambda place: place.is_folder or place.is_archive,
    ),
)

_OWN = Source("pictures", "your own", "either", "facelab.data.folder:load_photographs")


@dataclass(frozen=True, eq=False)
class Opened:
    """What came through the door.

    Attributes:
        faces: the images and who is on them.
        source: the row that opened it; its ``credit`` goes under every picture.
        how: how these images came about, for reports.
        errors: one for each file that was left out.
        pairs: which images to compare, from a source that holds pairs.
        templates: which groups of images to compare, from a source that holds such lists.
        names: what was opened, as the user gave it.
        report: of detection, once photographs have become chips.
    """

    faces: "FaceSet"
    source: Source
    how: str
    errors: list[FacelabError] = field(default_factory=list)
    pairs: "PairList | None" = None
    templates: "TemplateLists | None" = None
    names: tuple[str, ...] = ()
    report: "ChipReport | None" = None


@dataclass(frozen=True)
class Verdict:
    """Whether images are aligned chips (a verdict is true then), and how that is known."""

    chips: bool
    why: str

    def __bool__(self) -> bool:
        return self.chips


def choices(*, pairs: bool = False) -> str:
    """Return what a user can give, in words; lists of pairs only where they are of use."""
    some = [source for source in SOURCES if pairs or source.holds != "pairs"]
    named, paths = (", ".join(s.name for s in some if bool(s.fits) == path) for path in (False, True))
    return f"{named}, or a path, such as of a folder with one sub-folder per identity, or NAME:PATH with one of {paths}"


def source_card(name: str) -> str:
    """Return the data card of a source, by the name of either, as Markdown.

    Raises:
        FacelabError: there is no such card; the message lists the cards.
    """
    from facelab.data import card, cards

    named = {source.name: source.card for source in SOURCES if source.card}
    if name not in named and name not in cards():
        raise FacelabError(f"there is no data set {name!r} with a card; there are: {', '.join(named)}.")
    return card(named.get(name, name))


def find_source(name: str) -> Source:
    """Return the row of the table that opens a name, a path, or ``NAME:PATH``; names come first.

    Raises:
        FacelabError: there is none, or several rows of one card fit; the message lists them.
    """
    return locate(name)[0]


def locate(name: str) -> tuple[Source, str]:
    """Return the row of the table that opens a name, a path, or ``NAME:PATH``, and the path; empty for a name alone.

    Raises:
        FacelabError: see :func:`find_source`.
    """
    from facelab.data.archives import check_page
    from facelab.data.foreign import foreign
    from facelab.files import open_file

    if found := _located(name):
        source, path = found[0]
        same = [one.name for one, _ in found if one.name.partition("-")[0] == source.name.partition("-")[0]]
        if len(same) > 1:
            raise FacelabError(f"{name} holds several sets; name one: {', '.join(f'{one}:{name}' for one in same)}.")
        return source, path
    if any(source.fits and source.name == name for source in SOURCES):
        raise FacelabError(f"{name} is read from disk; say where it is: {name}:PATH.")
    if Path(name).is_file():
        with open_file(Path(name)) as file:
            check_page(file.read(256), name)
    what = f"{name} is one file, and no data set" if Path(name).is_file() else f"there is no data set {name!r}"
    raise FacelabError(foreign(Path(name)) or f"{what}: give {choices(pairs=True)}; check the path.")


def _located(name: str) -> list[tuple[Source, str]]:
    """Return every row that opens a name, ``NAME:PATH`` or a path, with the path; a name is opened by one."""
    from facelab.data.archives import Layout

    word, _, rest = name.partition(":")
    for source in SOURCES:
        if source.name == (word if source.fits and rest else name) and bool(source.fits) == bool(rest):
            return [(source, rest)]
    place = Layout(name)
    return [(source, name) for source in SOURCES if source.fits and source.fits(place)]


def named_source(names: Sequence[str | Path]) -> Source | None:
    """Return the row of the table that one word names, as ``NAME`` or ``NAME:PATH``; None where it is paths alone.

    Raises:
        FacelabError: one word is neither a name nor a path; the message lists the table.
    """
    word = str(names[0]) if len(names) == 1 else ""
    if word.isidentifier() and not Path(word).exists():  # a name, or a mistaken one
        find_source(word)
    return next((source for source, path in _located(word) if path != word), None) if word else None


def open_faces(name: str | Path, *, pairs: bool = False, show_progress: bool = False) -> Opened:
    """Open faces by name or path, as they are: photographs stay photographs.

    Args:
        name: a name or a path, see :data:`SOURCES`.
        pairs: whether the caller can use a source that does not say who is on its images.
        show_progress: show a bar while faces are rendered or read.

    Raises:
        FacelabError: there is no such source, it cannot be read, or it holds pairs and identities are needed.
    """
    from facelab.data import FaceSet, PairList
    from facelab.data.templates import TemplateLists

    name = str(name)
    source, path = locate(name)
    if source.holds == "pairs" and not pairs:
        raise FacelabError(
            f"{name} is a list of pairs and does not say who is on them: use --protocol 10fold of facelab evaluate."
        )
    if source.withdrawn:
        warnings.warn(f"{source.name}: {source.withdrawn}", stacklevel=2)
    module, function = source.loader.split(":")
    load = getattr(importlib.import_module(module), function)
    options: dict[str, Any] = {"show_progress": show_progress}
    options = {key: value for key, value in options.items() if key in inspect.signature(load).parameters}
    names = (path or name,)
    match load(*((path,) if source.fits else ()), *source.arguments, **options):
        case FaceSet() as faces:
            return Opened(faces, source, source.how, names=names)
        case FaceSet() as faces, TemplateLists() as lists:
            return Opened(faces, source, source.how, templates=lists, names=names)
        case FaceSet() as faces, PairList() as listed:
            return Opened(faces, source, source.how, pairs=listed if pairs else None, names=names)
        case FaceSet() as faces, errors:
            return Opened(faces, source, source.how, list(errors), names=names)
    raise TypeError(f"{source.loader} returns no FaceSet")


def open_pictures(names: Sequence[str | Path], *, show_progress: bool = False) -> Opened:
    """Open what a verb takes that need not know who is on a picture: a source, or picture files and folders of them.

    In a folder, pictures in sub-folders have an identity and others have none, see
    :func:`facelab.data.folder.load_photographs`.

    Raises:
        FacelabError: there is no such source or picture.
    """
    from facelab.data.folder import load_photographs

    word = str(names[0]) if len(names) == 1 else ""
    found = _located(word) if word else []
    plain = bool(found) and found[0][0].name == "folder" and Path(found[0][1]).is_dir()
    if (found and not plain) or (not found and word.isidentifier()):  # a name, or a mistaken one
        return open_faces(word, show_progress=show_progress)
    names = [found[0][1]] if plain else names
    faces, errors = load_photographs(names, show_progress=show_progress)
    return Opened(faces, _OWN, _OWN.how, list(errors), names=tuple(map(str, names)))


def open_photographs(names: Sequence[str | Path], *, images: Images = "auto", show_progress: bool = False) -> Opened:
    """Open photographs as :func:`open_pictures` does.

    Args:
        names: see :func:`open_pictures`.
        images: what they are, see :func:`are_chips`.
        show_progress: show a bar.

    Raises:
        FacelabError: also where they are chips.
    """
    opened = open_pictures(names, show_progress=show_progress)
    if verdict := are_chips(opened, images if opened.source.holds == "either" else "auto"):
        own = " To align them all the same: --images photographs." if opened.source.holds == "either" else ""
        raise FacelabError(f"{names[0]} holds chips, which are aligned already ({verdict.why}); give photographs.{own}")
    return replace(opened, faces=_by_identity(opened.faces)) if opened.source.fits else opened


def _by_identity(faces: "FaceSet") -> "FaceSet":
    """Return a set whose files lie in a folder of their identity, as chips of them are to be written.

    CelebA keeps all its pictures in one folder, which would be read as one identity. A picture of nobody known lies in
    no folder, so that it has no identity either.
    """
    if "file" not in faces.table:
        return faces
    parts = [file.split("/") for file in faces.table["file"]]
    identity = faces.table["identity"].tolist()
    if all(name == part[-2:][0] and len(part) > 1 for name, part in zip(identity, parts, strict=True)):
        return faces
    names = [part[-1] for part in parts]
    if len(set(zip(identity, names, strict=True))) < len(names):  # as in CFP, 001/frontal/01.jpg
        names = ["_".join(part) for part in parts]
    files = [f"{who}/{name}" if who else name for who, name in zip(identity, names, strict=True)]
    from facelab.data import FaceSet

    return FaceSet(faces.name, faces.images, faces.table.assign(file=files))


def are_chips(opened: Opened, images: Images = "auto") -> Verdict:
    """Say whether opened images are aligned chips, to be taken as they are. This is the only place that decides it.

    Their size tells nothing: the photographs of LFW are square. What counts, in this order: what the source is, what
    the user says, the record of ``facelab align`` (``chips.csv``), and where the faces are on a sample: alignment would
    not move them on chips, see :func:`facelab.align.evidence.shift`.

    Args:
        opened: from :func:`open_faces` or :func:`open_pictures`.
        images: what pictures of the user's own are; ``auto`` looks at them.

    Raises:
        FacelabError: ``images`` is given for a source that is known; some pictures look aligned and others do not; or
            chips have several sizes.
    """
    faces, source, own = opened.faces, opened.source, opened.source.holds == "either"
    if not own:
        verdict = Verdict(source.holds != "photographs", source.how)
        if images != "auto":
            raise FacelabError(
                f"--images {images}: {source.name} holds {'aligned chips' if verdict else 'photographs'}; leave the "
                "option out, which is for pictures of your own."
            )
        return verdict
    if images != "auto":
        verdict = Verdict(images == "chips", "as you say")
    elif _recorded(opened):
        verdict = Verdict(True, "as the chips.csv of facelab align says")
    else:
        verdict = _look(opened)
    sizes = _sizes(faces) if verdict else []
    if len(sizes) > 1:
        raise FacelabError(
            f"{faces.name} does not hold aligned chips: its pictures have {len(sizes)} sizes, such as "
            f"{sizes[0][1]} x {sizes[0][0]} and {sizes[1][1]} x {sizes[1][0]}. Align them: facelab align FOLDER --out "
            "CHIPS, or let this command do it: --images photographs."
        )
    return verdict


def _sample(faces: "FaceSet") -> list[int]:
    import numpy as np

    return np.unique(np.linspace(0, len(faces) - 1, _SAMPLE).astype(int)).tolist()


def _sizes(faces: "FaceSet") -> list[tuple[int, int]]:
    """Return the sizes of pictures (height, width): of all where the table knows them, else of a sample."""
    if {"height", "width"} <= set(faces.table):
        return sorted(set(zip(faces.table["height"], faces.table["width"], strict=True)))
    return sorted({faces[row][0].shape[:2] for row in _sample(faces)})


def _recorded(opened: Opened) -> bool:
    from facelab.data.folder import recorded_chips

    return all(recorded_chips(Path(name)) is not None for name in opened.names)


def _look(opened: Opened) -> Verdict:
    """Look at a sample of pictures: is the face where alignment would bring it?"""
    import numpy as np

    from facelab.align.evidence import ALIGNED, FAR, shifts

    faces = opened.faces
    rows = _sample(faces)
    moved = shifts([faces[row][0] for row in rows])
    nearly = ALIGNED if len(rows) >= _FEW else ALIGNED / 2  # a chip that is aligned again loses little
    aligned, found, far = (int(np.count_nonzero(those)) for those in (moved <= nearly, moved >= 0, moved > FAR))
    seen = f"of {len(rows)} looked at, {aligned} have the face where alignment brings it, {found - aligned} elsewhere"
    seen += f", and {len(rows) - found} show no large face" if found < len(rows) else ""
    if found >= len(rows) / 2 and aligned >= 3 * found / 4 and far <= len(rows) / 16:
        return Verdict(True, seen)
    if aligned <= found / 3:
        return Verdict(False, seen)
    raise FacelabError(
        f"{faces.name}: it is not clear whether these are aligned chips or photographs: {seen}. Say it: --images "
        "chips, or --images photographs."
    )


def open_chips(
    name: str | Path | Sequence[str | Path] | Opened,
    *,
    images: Images = "auto",
    pairs: bool = False,
    detector: "Detector | None" = None,
    method: "Method" = "five-point",
    which: "Which" = "largest",
    missing: Missing | None = None,
    device: Any = "auto",
    show_progress: bool = False,
) -> Opened:
    """Open faces by name or path as aligned chips: in photographs, faces are detected and aligned first.

    What the user's own pictures were taken for, and why, is said in ``how`` and shown with the progress.

    Args:
        name, pairs: see :func:`open_faces`; of a list of names :func:`open_pictures`; or what they have opened.
        images: what pictures of the user's own are, see :func:`are_chips`.
        detector: finds the faces. If not given, the landmarks that come with the set, and where none do, MTCNN on
            ``device``. By known landmarks a chip is cut out when it is asked for, so none is held.
        method: how to align, see :func:`facelab.align.chip_matrices`.
        which: of several faces in a photograph, see :func:`facelab.align.make_chips`.
        missing: what to do where no face is found, see :func:`facelab.align.make_chips`; the source's way if not given.
        device: of the detector.
        show_progress: show progress bars.

    Raises:
        FacelabError: see :func:`open_faces` and :func:`are_chips`, or no face is found in any photograph.
    """
    if isinstance(name, Opened):
        opened = name
    elif isinstance(name, str | Path):
        opened = open_faces(name, pairs=pairs, show_progress=show_progress)
    else:
        opened = open_pictures(name, show_progress=show_progress)
    known = detector is None and which == "largest" and method == "five-point"
    opened, taken = undetected(opened, images, landmarks=known, show_progress=show_progress)
    if taken is None:
        return opened
    from facelab.align import make_chips
    from facelab.detect import make_detector

    detector = detector or make_detector("mtcnn", device=device)
    chips, report = make_chips(
        opened.faces,
        detector,
        method=method,
        missing=missing or opened.source.missing,
        which=which,
        show_progress=show_progress,
    )
    chips.name = opened.faces.name
    by = getattr(detector, "title", type(detector).__name__) + ("" if method == "five-point" else f" ({method})")
    how = f"photographs, detected and aligned by {by}: {report}{taken}"
    return replace(opened, faces=chips, how=how, report=report)


def undetected(
    opened: Opened, images: Images = "auto", *, landmarks: bool, show_progress: bool = False
) -> tuple[Opened, str | None]:
    """Return the chips of an opened set, of which none is decoded, where no face has to be detected for that; else the
    photographs, and what is to be said of them at the end of a sentence.

    Args:
        opened: see :func:`open_chips`, as for ``images`` and ``show_progress``.
        landmarks: whether those that come with a set may take the place of a detector's.

    Returns:
        (the set, None) if it holds chips now, else (the set, the end of a sentence).
    """
    verdict, own = are_chips(opened, images), opened.source.holds == "either"
    taken = f"taken as {'aligned chips' if verdict else 'photographs'}: {verdict.why}"
    if own:
        say(f"{opened.faces.name} is {taken}", show_progress=show_progress)
    if verdict:
        return (replace(opened, how=taken) if own else opened), None
    said = f"; {taken}" if own else ""
    if landmarks and "landmarks" in opened.faces.table:
        how = f"photographs, aligned by the landmarks that come with them{said}"
        return replace(opened, faces=_by_landmarks(opened.faces), how=how), None
    return opened, said


def _by_landmarks(faces: "FaceSet") -> "FaceSet":
    """Return the chips of photographs whose landmarks the set tells; those of which it does not are an error."""
    import numpy as np

    from facelab.align.chips import AlignedImages
    from facelab.data import FaceSet

    points = np.full((len(faces.images), 5, 2), np.nan, np.float32)
    points[faces.table.index] = np.stack(list(faces.table["landmarks"]))
    if (bad := ~np.isfinite(points[faces.table.index]).all(axis=(1, 2))).any():
        raise FacelabError(
            f"{faces.name}: {faces.files[int(bad.argmax())]} has no landmarks in the list of the set (so have "
            f"{int(bad.sum())} of {len(bad)}). Name a detector."
        )
    return FaceSet(faces.name, AlignedImages(faces.images, points), faces.table)
