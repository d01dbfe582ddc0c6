"""What a file or folder of another project is, by its content: facelab says so where it cannot read one."""

from pathlib import Path

_MAGIC = (
    (b"\x89HDF", "an HDF5 file"),
    (b"MATLAB", "a MATLAB file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"PK\x03\x04", "a ZIP archive (or a file packed as one: .npz, .pt)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x80", "a pickle of Python"),
)
_NAMES = {  # in a folder -> whose it is
    "*.tfrecord*": "a TFRecord set (TensorFlow)",
    "data.mdb": "an LMDB database",
}
_OURS = {  # in a folder -> whose it is, and the source that reads it
    "*.rec": ("a RecordIO set (MXNet, InsightFace)", "recordio"),
    "identity_CelebA*": ("CelebA", "celeba"),
    "list_attr_celeba*": ("CelebA", "celeba"),
    "celebA_anno*": ("CelebA-500", "celeba500"),
    "*.parquet": ("Parquet tables (Hugging Face, for example)", "table"),
    "*.tar": ("a WebDataset or packed folders (.tar)", "webdataset"),
}
_REMEDY = "facelab does not read it; write its pictures to a folder with one sub-folder per identity."


def foreign(path: Path) -> str:
    """Return a sentence that says what a file or folder is that facelab does not read, or reads as a source of another
    name; empty if that is not known."""
    if path.is_dir() or path.is_file():
        for pattern, (what, source) in _OURS.items():
            if any(path.glob(pattern)) if path.is_dir() else path.match(pattern):
                return f"{path} is {what}, and no folder of identities: give {source}:{path}."
    if path.is_dir():
        what = next((what for pattern, what in _NAMES.items() if any(path.glob(pattern))), "")
    elif path.is_file():
        try:
            with path.open("rb") as file:
                start = file.read(512)
        except OSError:
            return ""
        what = next((what for magic, what in _MAGIC if start.startswith(magic)), "")
        if start[257:262] == b"ustar":
            what = "a tar archive"
        if not what:
            what = next((what for pattern, what in _NAMES.items() if path.match(pattern)), "")
    else:
        return ""
    return f"{path} is {what}. {_REMEDY}" if what else ""
