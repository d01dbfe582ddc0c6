"""Checksums that were published for files of data sets: does a file on disk match, differ, or is nothing known."""

import hashlib
from pathlib import Path

from facelab.data.archives import Folder, is_archive, open_place
from facelab.files import open_file

# File -> its MD5, or what else has been published: by torchvision (CelebA, LFW), which fetches these files.
PUBLISHED = {
    "img_align_celeba.zip": "00d2c5bc6d35e252742224ab0c1e8fcb",
    "identity_CelebA.txt": "32bd1bd63d3c78cd57e08160ec5ed1e2",
    "list_attr_celeba.txt": "75e246fa4810816ffd6ee81facbd244c",
    "list_bbox_celeba.txt": "00566efa6fedff7a56946cd1c10f1c16",
    "list_eval_partition.txt": "d32c9cbf5e040fd4025c592c306e6668",
    "list_landmarks_align_celeba.txt": "cc24ecafdb5b50baae59b03474781f8c",
    "lfw.tgz": "a17d05bd522c52d84eca14327a23d494",
    "lfw-funneled.tgz": "1b42dfed7d15c9b2dd63d5e5840c86ad",
    "lfw-deepfunneled.tgz": "68331da3eb755a505a502b5aacb3c201",
    "pairs.txt": "9f1ba174e4e1c508ff7cdf10ac338a7d",
    "pairsDevTrain.txt": "4f27cbf15b2da4a85c1907eb4181ad21",
    "pairsDevTest.txt": "5132f7440eb68cf58910c8a45a2ac10b",
}
_LISTS = (".txt", ".csv", ".mat", ".json", ".zip", ".tgz", ".tar", ".gz", ".idx", ".bin", "property")


def check_published(path: Path | str) -> dict[str, str]:
    """Compare the lists and archives of a set, and itself where it is an archive, with published checksums.

    Returns:
        Of each file: ``matches``, ``differs`` (a copy that was edited, is of another version, or is damaged) or
        ``unknown``, where no checksum has been published that we know of. Pictures are not looked at.
    """
    path = Path(path)
    place = open_place(path) if path.is_dir() or is_archive(path) else None
    found = {}
    if path.is_file():
        found[path.name] = _verdict(path.name, _md5(path) if path.name in PUBLISHED else "")
    for name in place.names if place else []:
        last = name.rpartition("/")[2]
        if not last.endswith(_LISTS):
            continue
        digest = ""
        if last in PUBLISHED:
            digest = _md5(path / name) if isinstance(place, Folder) else hashlib.md5(place.read(name)).hexdigest()  # type: ignore[union-attr]
        found[name] = _verdict(last, digest)
    return found


def _verdict(name: str, digest: str) -> str:
    return "unknown" if name not in PUBLISHED else "matches" if PUBLISHED[name] == digest else "differs"


def _md5(path: Path) -> str:
    with open_file(path) as file:
        return hashlib.file_digest(file, "md5").hexdigest()
