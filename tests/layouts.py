"""Small data sets in the layouts in which real ones are given out, made of ORL photographs and SynthFaces' like.

Each is a dict, name -> bytes, that :func:`write` puts into a folder or an archive.
"""

import io
import tarfile
import zipfile
from collections.abc import Iterable
from multiprocessing import Queue
from pathlib import Path

import cv2
import numpy as np

from facelab.data import FaceSet


def jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def page(photograph: np.ndarray, height: int, width: int) -> bytes:
    """Return a photograph in the middle of a page of this size, as JPEG."""
    top, left = (height - photograph.shape[0]) // 2, (width - photograph.shape[1]) // 2
    image = np.full((height, width, 3), 90, np.uint8)
    image[top : top + photograph.shape[0], left : left + photograph.shape[1]] = photograph
    return jpeg(image)


def write(files: dict[str, bytes], path: Path) -> Path:
    """Write files to a folder, or to the archive that the suffix of its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            for name, data in files.items():
                packed.writestr(name, data)
    elif path.suffix in (".tar", ".tgz"):
        with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as packed:
            for name, data in files.items():
                about = tarfile.TarInfo(name)
                about.size = len(data)
                packed.addfile(about, io.BytesIO(data))
    else:
        for name, data in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    return path


def text(*lines: str, end: str = "\n") -> bytes:
    return "".join(line + end for line in lines).encode()


def celeba(orl: FaceSet, *, end: str = "\r\n", header: bool = False, people: int = 4) -> dict[str, bytes]:
    """CelebA as its page gives it out, unpacked; identities are 2880 and on, as numbers are not in order there."""
    rows = [(10 * person + k, 2880 + 7 * person) for k in range(3) for person in range(people)]
    names = [f"{number:06d}.jpg" for number in range(1, len(rows) + 1)]
    ids = [f"{name} {identity}" for name, (_, identity) in zip(names, rows, strict=True)]
    attributes = "Attractive Blurry Eyeglasses Male Mouth_Slightly_Open Smiling Wearing_Hat Young"
    values = np.random.default_rng(0).choice(["-1", " 1"], (len(rows), 8))
    points = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
    at = [f"{70 + k}  113   108  111    89  136    72  152   105  152" for k in range(len(rows))]

    def listed(titles: str, rows: Iterable[str]) -> bytes:
        return text(str(len(names)), titles, *(f"{name}  {row}" for name, row in zip(names, rows, strict=True)))

    pictures = [page(orl[row][0], 218, 178) for row, _ in rows]
    return {
        **{f"img_align_celeba/{name}": data for name, data in zip(names, pictures, strict=True)},
        "identity_CelebA.txt": text(*["image identity"] * header, *ids, end=end),
        "list_eval_partition.txt": text(*(f"{name} {k // people % 3}" for k, name in enumerate(names))),
        "list_attr_celeba.txt": listed(attributes, map(" ".join, values)),
        "list_landmarks_align_celeba.txt": listed(points, at),
        "list_bbox_celeba.txt": listed("image_id x_1 y_1 width height", ["95  71 226 313"] * len(rows)),
    }


def celeba500(orl: FaceSet) -> dict[str, bytes]:
    """CelebA-500 as its coursework gives it out: six people to train on, four queried, six distractors."""
    files: dict[str, bytes] = {}
    anno, split, query = [], [], []
    for person in range(6):
        for k in range(5):
            name = f"{100 * person + k:06d}.jpg"
            files[f"celeba_train_500/celebA_imgs/{name}"] = page(orl[10 * person + k][0], 218, 178)
            anno.append(f"{name} {person}")
            split.append(f"{name} {max(0, k - 2)}")
    for person in range(4):
        for k in range(3):
            name = f"{7000 + 10 * person + k:06d}.jpg"
            files[f"celeba_ir/celebA_query/{name}"] = page(orl[10 * (person + 20) + k][0], 218, 178)
            query.append(f"{name},{person}")
    for person in range(6):
        files[f"celeba_ir/celebA_distractors/{9000 + person:06d}.jpg"] = page(orl[10 * (person + 30)][0], 218, 178)
    return files | {
        "celeba_train_500/celebA_anno.txt": text(*anno),
        "celeba_train_500/celebA_train_split.txt": text(*split),
        "celeba_ir/celebA_anno_query.csv": text("img,id", *query),
    }


LFW_PEOPLE = ("Aaron_Eckhart", "Zach_Safrin", "Jean-Pierre_Bemba", "Al_Sharpton")  # names of the list; faces of ORL


def lfw_pairs(folds: int = 2) -> bytes:
    """A list as ``pairs.txt``: in each fold two genuine and two impostor pairs."""
    lines = [f"{folds}\t2"]
    for fold in range(folds):
        one, two = LFW_PEOPLE[2 * fold % 4], LFW_PEOPLE[(2 * fold + 1) % 4]
        lines += [f"{one}\t1\t2", f"{two}\t1\t3", f"{one}\t1\t{two}\t1", f"{one}\t2\t{two}\t3"]
    return text(*lines)


def lfw(orl: FaceSet, root: str = "lfw") -> dict[str, bytes]:
    """The pictures of LFW, as in its archives: 250 x 250, three of each person."""
    return {
        f"{root}/{name}/{name}_{k + 1:04d}.jpg": page(orl[10 * person + k][0], 250, 250)
        for person, name in enumerate(LFW_PEOPLE)
        for k in range(3)
    }


def flat_lfw(orl: FaceSet, *, poses: bool) -> dict[str, bytes]:
    """CPLFW, or CALFW (whose second column is the fold of a genuine pair), with the pictures twice, as given out."""
    number = "{}" if poses else "{:04d}"
    files, lines = {}, []
    for person, name in enumerate(LFW_PEOPLE):
        for k in range(3):
            picture = f"{name}_{number.format(k + 1)}.jpg"
            files[f"images/{picture}"] = page(orl[10 * person + k][0], 250, 250)
            files[f"aligned images/{picture}"] = page(orl[10 * person + k][0], 112, 112)
    called = lambda person, k: f"{LFW_PEOPLE[person]}_{number.format(k)}.jpg"  # noqa: E731
    genuine = [(called(p, 1), called(p, k)) for p in range(4) for k in (2, 3)]
    impostors = [(called(p, 1), called((p + 1) % 4, k)) for p in range(4) for k in (1, 3)]
    for fold, (one, two) in enumerate(genuine):
        kind = 1 if poses else fold % 10 + 1
        lines += [f"{one} {kind}", f"{two} {kind}"]
    for one, two in impostors:
        lines += [f"{one} 0", f"{two} 0"]
    return files | {f"pairs_{'CPLFW' if poses else 'CALFW'}.txt": text(*lines)}


def cfp(orl: FaceSet) -> dict[str, bytes]:
    """CFP: file names repeat in the folder of every person."""
    files: dict[str, bytes] = {}
    lists: dict[str, list[str]] = {"F": [], "P": []}
    for person in range(4):
        for kind, pose, number in (("F", "frontal", 3), ("P", "profile", 2)):
            for k in range(number):
                name = f"Data/Images/{person + 1:03d}/{pose}/{k + 1:02d}.jpg"
                files[f"cfp-dataset/{name}"] = page(orl[10 * person + k + 5 * (kind == "P")][0], 130, 120)
                lists[kind].append(f"{len(lists[kind]) + 1} ../{name}")
    files |= {f"cfp-dataset/Protocol/Pair_list_{kind}.txt": text(*lines) for kind, lines in lists.items()}
    for fold in range(10):
        p, q = fold % 4, (fold + 1) % 4
        split = f"cfp-dataset/Protocol/Split/{{}}/{fold + 1:02d}/{{}}.txt".format
        files |= {
            split("FF", "same"): text(f"{3 * p + 1},{3 * p + 2}"),
            split("FF", "diff"): text(f"{3 * p + 1},{3 * q + 2}"),
            split("FP", "same"): text(f"{3 * p + 1},{2 * p + 2}"),
            split("FP", "diff"): text(f"{3 * p + 1},{2 * q + 1}"),
        }
    return files


def agedb(orl: FaceSet) -> dict[str, bytes]:
    names = ("MariaCallas", "JohnGielgud")
    return {
        f"AgeDB/{4 * person + k}_{name}_{30 + 5 * k}_{'fm'[person]}.jpg": jpeg(orl[10 * person + k][0])
        for person, name in enumerate(names)
        for k in range(4)
    }


def rfw(orl: FaceSet) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for part, race in enumerate(("African", "Asian", "Caucasian", "Indian")):
        mids = [f"m.0c7mh{2 * part}", f"m.0c7mh{2 * part + 1}"]
        for person, mid in enumerate(mids):
            for k in range(3):
                image = page(orl[10 * (2 * part + person) + k][0], 400, 400)
                files[f"test/data/{race}/{mid}/{mid}_{k + 1:04d}.jpg"] = image
        one, two = mids
        lines = [f"{one}\t1\t2", f"{two}\t1\t3", f"{one}\t1\t{two}\t1", f"{one}\t2\t{two}\t3"] * 5
        files[f"test/txts/{race}/{race}_pairs.txt"] = text(*lines)
    return files


def ijb(orl: FaceSet, name: str = "ijbc", people: int = 5) -> dict[str, bytes]:
    """IJB as InsightFace gives it out: of each person two templates of a photograph and a video of two frames."""
    points = "28.5 48.0 62.0 48.5 45.0 65.0 32.0 84.0 58.5 84.5"
    files: dict[str, bytes] = {}
    media, scores, template_of = [], [], {}
    for person in range(people):
        for k in range(6):
            picture, template = f"{6 * person + k + 1}.jpg", 10 * person + k // 3 + 1
            files[f"loose_crop/{picture}"] = jpeg(orl[10 * person + k][0])
            media.append(f"{picture} {template} {100 * template + (k % 3 + 1) // 2}")
            scores.append(f"{picture} {points} {0.9 - 0.1 * k:.2f}")
            template_of.setdefault(template, person + 700)
    names = sorted(template_of)
    pairs = [
        f"{one} {two} {int(template_of[one] == template_of[two])}" for k, one in enumerate(names) for two in names[:k]
    ]
    one_to_many = {"gallery_G1": names[0:4:2], "gallery_G2": names[4::2], "probe_mixed": names[1::2]}
    return files | {
        f"meta/{name}_face_tid_mid.txt": text(*media),
        f"meta/{name}_name_5pts_score.txt": text(*scores),
        f"meta/{name}_template_pair_label.txt": text(*pairs),
        **{
            f"meta/{name}_1N_{part}.csv": text(
                "TEMPLATE_ID,SUBJECT_ID,FILENAME", *(f"{t},{template_of[t]},x.jpg" for t in ids)
            )
            for part, ids in one_to_many.items()
        },
    }


def tinyface(orl: FaceSet, people: int = 4) -> dict[str, bytes]:
    """TinyFace's test part: names and identities in the cells of MATLAB, distractors without a name."""
    from scipy.io import savemat

    files: dict[str, bytes] = {}
    root = "tinyface/Testing_Set"
    lists: dict[str, list[tuple[str, int]]] = {"gallery": [], "probe": []}
    for person in range(people):
        for k in range(4):
            role, folder = ("gallery", "Gallery_Match") if k < 2 else ("probe", "Probe")
            picture = f"{person + 11}_{k + 1}.jpg"
            files[f"{root}/{folder}/{picture}"] = jpeg(cv2.resize(orl[10 * person + k][0], (18, 22)))
            lists[role].append((picture, person + 11))
        files[f"{root}/Gallery_Distractor/{person}.jpg"] = jpeg(cv2.resize(orl[10 * (person + 20)][0], (18, 22)))
    for role, name in (("gallery", "gallery_match"), ("probe", "probe")):
        cells = np.empty((len(lists[role]), 1), object)
        cells[:, 0] = [picture for picture, _ in lists[role]]
        ids = np.array([[identity] for _, identity in lists[role]], np.uint16)
        data = io.BytesIO()
        savemat(data, {f"{role}_set": cells, f"{role}_ids": ids})
        files[f"{root}/{name}_img_ID_pairs.mat"] = data.getvalue()
    return files


def olivetti(orl: FaceSet) -> bytes:
    """The file of scikit-learn's ``fetch_olivetti_faces``, as it writes it: joblib, compressed, columns first."""
    import joblib

    small = np.stack([cv2.resize(orl[row][0][:, :, 0], (64, 64), interpolation=cv2.INTER_AREA) for row in range(400)])
    data = io.BytesIO()
    joblib.dump(np.ascontiguousarray(small.transpose(0, 2, 1)).reshape(400, 4096), data, compress=6)
    return data.getvalue()


def sums_of(faces: FaceSet, order: list[int], out: Queue) -> None:
    """Read images in another process; it stands here, as that one imports what a function's file imports."""
    out.put([int(faces[row][0].sum()) for row in order])
