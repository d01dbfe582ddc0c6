"""Where things land in the picture: head pose, pinhole projection, and the similarity that makes a chip."""

import numpy as np

from facelab.synth.head import EYE_LEFT, EYE_RIGHT, SKIN, HeadModel

NECK = np.array([0.0, 6.25, 0.30])  # dm in the template: the head turns on the shoulders here

# Dense landmarks by template position (x for the subject's left side, mirrored where x > 0): name -> (x, y, z), dm.
_DENSE = {
    "eye_outer": (0.455, 7.275, 1.34),
    "eye_inner": (0.195, 7.27, 1.375),
    "eye_top": (0.31, 7.335, 1.41),
    "eye_bottom": (0.31, 7.235, 1.40),
    "brow_inner": (0.12, 7.43, 1.50),
    "brow_middle": (0.32, 7.50, 1.45),
    "brow_outer": (0.50, 7.45, 1.30),
    "nose_wing": (0.17, 6.88, 1.46),
    "mouth_corner": (0.249, 6.603, 1.42),
    "lip_peak": (0.05, 6.70, 1.595),
    "jaw_angle": (0.66, 6.60, 0.75),
    "jaw_side": (0.48, 6.35, 1.10),
    "cheek": (0.50, 6.95, 1.30),
    "temple": (0.70, 7.45, 0.95),
    "ear_lobe": (0.76, 6.92, 0.55),
    "nose_bridge": (0, 7.32, 1.51),
    "nose_tip": (0, 6.965, 1.672),
    "nose_base": (0, 6.81, 1.57),
    "lip_top": (0, 6.69, 1.60),
    "lip_between_upper": (0, 6.618, 1.565),
    "lip_bottom": (0, 6.50, 1.56),
    "chin": (0, 6.21, 1.44),
    "forehead": (0, 7.75, 1.50),
}
DENSE_NAMES = tuple(
    side + name for name, (x, _, _) in _DENSE.items() for side in (("left_", "right_") if x > 0 else ("",))
)  # left is image left
NOSE_AND_MOUTH = [DENSE_NAMES.index(name) for name in ("nose_tip", "left_mouth_corner", "right_mouth_corner")]
FIVE_NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")


def dense_vertices(model: HeadModel) -> np.ndarray:
    """Return the vertex of each dense landmark, (len(DENSE_NAMES),): the skin vertex nearest to its template
    position."""
    skin = np.unique(model.triangles[model.parts == SKIN])
    found = []
    for x, y, z in _DENSE.values():
        for sign in (-1, 1) if x > 0 else (1,):
            found.append(skin[np.argmin(np.linalg.norm(model.template[skin] - [sign * x, y, z], axis=1))])
    return np.array(found)


def eyeballs(model: HeadModel, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres (2, 3) and radii (2,) of the eyeballs, image left first."""
    centres, radii = [], []
    for part in (EYE_LEFT, EYE_RIGHT):
        points = vertices[np.unique(model.triangles[model.parts == part])]
        low, high = points.min(axis=0), points.max(axis=0)
        centres.append((low + high) / 2)
        radii.append((high - low).mean() / 2)
    return np.array(centres), np.array(radii)


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """R = R_z(-roll) R_y(yaw) R_x(-pitch): yaw turns the face to image right, pitch up, roll clockwise in the image."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(-pitch), np.sin(-pitch), np.cos(-roll), np.sin(-roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def neck_weight(template: np.ndarray) -> np.ndarray:
    """How much each vertex follows the head, (V,): 1 above the jaw, 0 on the shoulders, smooth between."""
    t = np.clip((template[:, 1] - 5.65 + 0.25 * (template[:, 2] - 0.3)) / 0.75, 0, 1)
    return t * t * (3 - 2 * t)


def project(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Pinhole projection of camera-space points (..., 3) to pixels (..., 2): ``matrix`` (2, 3) acts on (x/d, -y/d, 1),
    d = -z."""
    depth = -points[..., 2:]
    flat = np.concatenate([points[..., :1] / depth, -points[..., 1:2] / depth, np.ones_like(depth)], axis=-1)
    return flat @ matrix.T
