"""The command that made ``train.rec``, ``train.idx``, ``property`` and ``plain.rec``, ``plain.idx`` beside it, once.

MXNet writes them, which is too old for facelab's own environment (read in facelab's, write in its own)::

    python tests/data/recordio/make.py draw pictures.npz
    uv venv --python 3.11 mxnet
    uv pip install --python mxnet/bin/python mxnet 'numpy<1.24' 'opencv-python-headless<4.9'
    mxnet/bin/python tests/data/recordio/make.py write pictures.npz tests/data/recordio

``train`` is packed as InsightFace's ``face2rec2.py`` does it: a header at key 0, pictures from key 1 with two labels
(identity, aligned), then a record without a picture for each identity with the range of its pictures. The identities
are 0, 3 and 7. ``plain`` is packed as ``im2rec.py`` does it: keys from 0, one label, in another order, CRLF in the
index. Pictures are invented faces of SynthFaces, 24 x 24 pixels; one of them carries the magic of RecordIO, twice
where it is cut out and once where it is not.
"""

import struct
import sys
from pathlib import Path

import numpy as np

IDENTITIES = [0, 0, 3, 3, 3, 7, 7]
MAGIC = struct.pack("<I", 0xCED7230A)


def draw(out: str) -> None:
    import cv2

    from facelab.sources import open_faces

    faces = open_faces("synthfaces-mini").faces.resized(24)
    labels = faces.labels
    rows = [
        np.flatnonzero(labels == identity)[k]
        for identity, k in ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1))
    ]
    np.savez(out, np.stack([cv2.cvtColor(faces[row][0], cv2.COLOR_RGB2BGR) for row in rows]))


def write(pictures: str, out: str) -> None:
    import cv2
    from mxnet import recordio

    images = [cv2.imencode(".jpg", image)[1].tobytes() for image in np.load(pictures)["arr_0"]]
    # Behind the end of a JPEG file, where decoders do not look. The header and two labels take 32 bytes.
    tail = bytes(-len(images[3]) % 4)
    images[3] += tail + MAGIC + b"aligned." + MAGIC + b"x" + MAGIC
    folder = Path(out)
    rec = recordio.MXIndexedRecordIO(str(folder / "train.idx"), str(folder / "train.rec"), "w")
    ends = [(k + 1, k + 1 + IDENTITIES.count(i)) for k, i in enumerate(IDENTITIES) if not k or IDENTITIES[k - 1] != i]
    total = len(images) + 1
    rec.write_idx(0, recordio.pack(recordio.IRHeader(2, [float(total), float(total + len(ends))], 0, 1), b""))
    for key, (image, identity) in enumerate(zip(images, IDENTITIES), start=1):  # noqa: B905
        rec.write_idx(key, recordio.pack(recordio.IRHeader(2, [float(identity), 1.0], key, 0), image))
    for key, (start, stop) in enumerate(ends, start=total):
        rec.write_idx(key, recordio.pack(recordio.IRHeader(2, [float(start), float(stop)], key, 0), b""))
    rec.close()
    (folder / "property").write_text(f"{len(ends)},24,24\n")

    rec = recordio.MXIndexedRecordIO(str(folder / "plain.idx"), str(folder / "plain.rec"), "w")
    for key in (2, 0, 5, 6, 1, 4, 3):
        rec.write_idx(key, recordio.pack(recordio.IRHeader(0, float(IDENTITIES[key]), key, 0), images[key]))
    rec.close()
    index = (folder / "plain.idx").read_text()
    (folder / "plain.idx").write_bytes(index.replace("\n", "\r\n").encode())


if __name__ == "__main__":
    {"draw": draw, "write": write}[sys.argv[1]](*sys.argv[2:])
