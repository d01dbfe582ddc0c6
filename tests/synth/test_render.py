import dataclasses

import numpy as np
import pytest

from facelab.align import TEMPLATE
from facelab.synth import camera, kernels, resident
from facelab.synth.render import ChipFraming
from facelab.synth.scene import OCCLUDERS, Ranges, sample_scene

pytestmark = pytest.mark.slow


def scene(number: int, **changes):
    plain = sample_scene(np.random.SeedSequence([8, number]), Ranges(occluders=0, profile=0))
    return dataclasses.replace(plain, **changes)


def rotation_by_hand(yaw, pitch, roll):
    """Rodrigues' formula, one axis after the other, written apart from the package."""

    def about(axis, angle):
        k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
        return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k

    return about([0, 0, 1], -roll) @ about([0, 1, 0], yaw) @ about([1, 0, 0], -pitch)


@pytest.mark.parametrize("number", range(4))
def test_landmarks_agree_with_an_independent_projection(renderer, body, number):
    s = scene(number)
    framing = ChipFraming(112, 40)
    picture = renderer.render(body, [s], size=framing.shape, framing=framing, supersampling=1)[0]
    placed = renderer.place(body, s)
    matrix = framing.matrix(s, renderer.truth(body, placed))
    expressed = renderer.model.express(body.rest, s.actions)
    tip, left, right = (camera.dense_vertices(renderer.model)[i] for i in camera.NOSE_AND_MOUTH)
    points = np.concatenate([body.eyes + body.eye_radii[:, None] * [0, 0, 1], expressed[[tip, left, right]]])
    for point, found in zip(points, picture.landmarks, strict=True):
        p = rotation_by_hand(s.yaw, s.pitch, s.roll) @ (point - body.centre) + [0, 0, -s.distance]
        x = matrix[0, 0] * p[0] / -p[2] + matrix[0, 1] * -p[1] / -p[2] + matrix[0, 2]
        y = matrix[1, 0] * p[0] / -p[2] + matrix[1, 1] * -p[1] / -p[2] + matrix[1, 2]
        assert np.hypot(*(found - [x, y])) < 0.5


def test_picture_stands_where_the_truth_says(renderer, body):
    """The rendered pixels, not only the numbers: the centroid of the eye pixels lies on the eye landmarks."""
    s = scene(0, yaw=0.0, pitch=0.0, roll=0.0, actions={}, gaze=np.zeros(2))
    picture = renderer.render(body, [s], size=(224, 224), framing=ChipFraming(224), supersampling=2)[0]
    rows, columns = np.nonzero(picture.kinds == 3)
    for side, eye in ((columns < 112, picture.landmarks[0]), (columns >= 112, picture.landmarks[1])):
        centre = np.array([columns[side].mean(), rows[side].mean()])
        assert np.hypot(*(centre - eye)) < 6


def test_chip_is_aligned_to_the_template(renderer, body):
    picture = renderer.render(
        body, [scene(1, yaw=0.0, pitch=0.0)], size=(112, 112), framing=ChipFraming(112), supersampling=1
    )[0]
    assert np.abs(picture.landmarks - TEMPLATE).max() < 6
    assert (
        np.abs(picture.landmarks.mean(axis=0) - TEMPLATE.mean(axis=0)).max() < 1e-3
    )  # least squares keeps the centroid


@pytest.mark.parametrize(("yaw", "side"), [(0.5, 1), (-0.5, -1)])
def test_positive_yaw_turns_the_face_to_image_right(renderer, body, yaw, side):
    picture = renderer.render(
        body, [scene(2, yaw=yaw, roll=0.0)], size=(112, 112), framing=ChipFraming(80, 16), supersampling=1
    )[0]
    nose, eyes = picture.landmarks[2, 0], picture.landmarks[:2, 0].mean()
    assert side * (nose - eyes) > 3


def test_geometry_is_the_same_in_every_scene_up_to_pose_and_expression(renderer, body):
    calm = [scene(k, actions={}) for k in range(3)]
    shapes = []
    for s in calm:
        placed = renderer.place(body, s)
        head = renderer.model.template[:, 1] > 6.6
        shapes.append(((placed.vertices - placed.translation) @ placed.turn)[head])
    for shape in shapes[1:]:
        assert np.abs(shape - shapes[0]).max() < 1e-4


def test_occluded_landmarks_are_flagged(renderer, body):
    framing = ChipFraming(112, 30)
    frontal = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0}

    def visible(occluder, **changes):
        s = scene(3, occluder=occluder, **(frontal | changes))
        return renderer.render(body, [s], size=framing.shape, framing=framing)[0].visible

    assert visible("none").all()
    assert visible("sunglasses").tolist() == [False, False, True, True, True]
    assert visible("mask").tolist() == [True, True, False, False, False]
    turned = visible("none", yaw=1.5)  # the face turns to image right, so its image-right half is hidden
    assert not turned[1]
    assert not turned[4]
    assert turned[2]
    assert turned[3]


@pytest.mark.parametrize("occluder", OCCLUDERS)
def test_every_occluder_can_be_drawn(renderer, body, occluder):
    picture = renderer.render(body, [scene(4, occluder=occluder)], size=(112, 112), framing=ChipFraming(80, 16))[0]
    assert (picture.kinds == 6).any() == (occluder != "none")


def test_a_batch_gives_what_single_pictures_give(renderer, body):
    scenes = [scene(k, occluder=o) for k, o in enumerate(("none", "hat", "glasses"))]
    framing = ChipFraming(64)
    together = renderer.render(body, scenes, size=framing.shape, framing=framing)
    for s, picture in zip(scenes, together, strict=True):
        alone = renderer.render(body, [s], size=framing.shape, framing=framing)[0]
        assert np.array_equal(alone.image, picture.image)
        assert np.array_equal(alone.visible, picture.visible)


def test_the_key_light_lights_the_side_it_comes_from(renderer, body):
    def halves(x):
        direction = np.array([x, 0.3, 0.8]) / np.linalg.norm([x, 0.3, 0.8])
        s = scene(5, yaw=0.0, roll=0.0, key_direction=direction, key_strength=3.0, fill_strength=0.0, exposure=-0.5)
        image = renderer.render(body, [s], size=(112, 112), framing=ChipFraming(112))[0].image[60:90].astype(float)
        return image[:, 35:50].mean(), image[:, 62:77].mean()

    left, right = halves(-1.0)
    assert left > 1.2 * right
    left, right = halves(1.0)
    assert right > 1.2 * left


def test_more_melanin_is_darker_and_more_blood_is_redder():
    from facelab.synth.skin import reflectance

    light, dark, red = reflectance(0.2, 0.3), reflectance(1.5, 0.3), reflectance(0.2, 0.6)
    assert (dark < light).all()
    assert (dark > 0).all()
    assert (light < 1).all()
    assert red[0] / red[1] > light[0] / light[1]


def test_skin_colours_span_what_is_measured():
    """CIELAB individual typology angle (Chardon et al. 1991): from dark (below -30 degrees) to very light (above
    55)."""
    import cv2

    from facelab.synth.sensor import encode_srgb
    from facelab.synth.skin import reflectance

    colours = np.array([reflectance(m, 0.3) for m in (0.08, 2.0)], np.float32)
    lab = cv2.cvtColor(encode_srgb(colours).astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]
    angle = np.degrees(np.arctan2(lab[:, 0] - 50, lab[:, 2]))
    assert angle[0] > 45
    assert angle[1] < -30


@pytest.mark.parametrize(
    ("module", "some"),
    [(kernels, ("light_vertices", "draw_head", "draw_strands", "shade")), (resident, ("pose_vertices", "develop"))],
)
def test_every_kernel_compiles_for_a_gpu(module, some, tmp_path):
    """PTX for compute capability 8.0 (A100 and newer); this needs CUDA's compiler, which warp carries, but no GPU."""
    import warp as wp

    wp.compile_aot_module(module, arch=80, module_dir=str(tmp_path), use_ptx=True)
    (ptx,) = tmp_path.glob("*.ptx")
    text = ptx.read_text()
    for name in some:
        assert f".entry {name}" in text
