# ruff: noqa: UP018 - warp reads float(0.0) as a variable
"""What a CPU does with NumPy and OpenCV, as kernels: posing the head, the backdrop, the sensor.

With these a picture stays on the GPU from the person's shape to 8-bit pixels. Each kernel follows the function that it
stands for (:class:`facelab.synth.body.Placed`, :func:`facelab.synth.background.paint`,
:func:`facelab.synth.sensor.expose`) and agrees with it to rounding. Only the noise is other noise of the same kind, as
a GPU draws its own numbers.
"""

from collections.abc import Sequence

import numpy as np
import warp as wp

from facelab.synth.scene import Scene
from facelab.synth.sensor import LUMINANCE, gains, lens_blur, motion_window, noise_generator, sensor_size

wp.set_module_options({"enable_backward": False})


@wp.kernel
def pose_vertices(
    rest: wp.array(dtype=wp.vec3),
    actions: wp.array2d(dtype=wp.vec3),
    strengths: wp.array2d(dtype=float),
    head_share: wp.array(dtype=float),
    turns: wp.array2d(dtype=wp.mat33),  # (pictures, 2): of the head, of the shoulders
    translations: wp.array(dtype=wp.vec3),
    neck: wp.vec3,
    offsets: wp.array2d(dtype=wp.vec3),
    positions: wp.array2d(dtype=wp.vec3),
):
    """Expression in head space, and the head turned on the shoulders in camera space."""
    b, v = wp.tid()
    offset = wp.vec3()
    for k in range(actions.shape[0]):
        if strengths[b, k] != 0.0:
            offset += strengths[b, k] * actions[k, v]
    offsets[b, v] = offset
    expressed = rest[v] + offset
    head = turns[b, 0] * expressed
    bust = turns[b, 1] * (expressed - neck) + turns[b, 0] * neck
    positions[b, v] = head_share[v] * head + (1.0 - head_share[v]) * bust + translations[b]


@wp.kernel
def gather(source: wp.array2d(dtype=wp.vec3), indices: wp.array(dtype=wp.int32), target: wp.array2d(dtype=wp.vec3)):
    b, k = wp.tid()
    target[b, k] = source[b, indices[k]]


@wp.func
def _cubic(t: float) -> wp.vec4:
    """Weights of four neighbours for a place t in [0, 1) after the second (Keys 1981, a = -0.75 as in OpenCV)."""
    a = -0.75
    u = 1.0 - t
    outer = ((a * (t + 1.0) - 5.0 * a) * (t + 1.0) + 8.0 * a) * (t + 1.0) - 4.0 * a
    left = ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0
    right = ((a + 2.0) * u - (a + 3.0)) * u * u + 1.0
    return wp.vec4(outer, left, right, 1.0 - outer - left - right)


@wp.kernel
def enlarge(canvas: wp.array3d(dtype=wp.vec3), target: wp.array3d(dtype=wp.vec3)):
    b, row, column = wp.tid()
    rows, columns = canvas.shape[1], canvas.shape[2]
    y = (float(row) + 0.5) * float(rows) / float(target.shape[1]) - 0.5
    x = (float(column) + 0.5) * float(columns) / float(target.shape[2]) - 0.5
    wy, wx = _cubic(y - wp.floor(y)), _cubic(x - wp.floor(x))
    total = wp.vec3()
    for i in range(4):
        for j in range(4):
            r = wp.clamp(int(wp.floor(y)) - 1 + i, 0, rows - 1)
            c = wp.clamp(int(wp.floor(x)) - 1 + j, 0, columns - 1)
            total += wy[i] * wx[j] * canvas[b, r, c]
    target[b, row, column] = wp.max(total, wp.vec3(0.0, 0.0, 0.0))


@wp.struct
class Sensor:
    """The camera of one picture, as in :class:`Scene`."""

    gain: wp.vec3
    sigma: float  # of the lens's blur in pixels, 0 for none
    motion: int  # side of the window of motion blur, 1 for none
    rows: int
    columns: int
    noise: float
    saturation: float
    contrast: float
    seed: int


@wp.func
def _mirror(index: int, count: int) -> int:
    """Reflect an index at the borders without repeating them, as OpenCV does by default."""
    i = wp.abs(index)
    if i >= count:
        i = 2 * count - 2 - i
    return wp.clamp(i, 0, count - 1)


@wp.kernel
def blur(
    source: wp.array3d(dtype=wp.vec3),
    sensors: wp.array(dtype=Sensor),
    upright: int,  # 0 blurs along rows, 1 along columns
    target: wp.array3d(dtype=wp.vec3),
):
    b, row, column = wp.tid()
    sensor = sensors[b]
    total, weights = wp.vec3(), float(0.0)
    radius = wp.where(sensor.sigma > 0.0, int(wp.round(sensor.sigma * 8.0 + 1.0)) / 2, 0)
    for k in range(-radius, radius + 1):
        w = wp.where(radius > 0, wp.exp(-0.5 * float(k * k) / wp.max(sensor.sigma * sensor.sigma, 1.0e-12)), 1.0)
        if upright == 1:
            total += w * source[b, _mirror(row + k, source.shape[1]), column]
        else:
            total += w * source[b, row, _mirror(column + k, source.shape[2])]
        weights += w
    target[b, row, column] = total / weights


@wp.kernel
def move(
    source: wp.array3d(dtype=wp.vec3),
    sensors: wp.array(dtype=Sensor),
    windows: wp.array3d(dtype=float),
    target: wp.array3d(dtype=wp.vec3),
):
    """The hand moves while the shutter is open; then gains for exposure and white balance."""
    b, row, column = wp.tid()
    sensor = sensors[b]
    total = wp.vec3()
    half = sensor.motion / 2
    for i in range(sensor.motion):
        for j in range(sensor.motion):
            r, c = _mirror(row + i - half, source.shape[1]), _mirror(column + j - half, source.shape[2])
            total += windows[b, i, j] * source[b, r, c]
    target[b, row, column] = wp.cw_mul(total, sensor.gain)


@wp.func
def _white(sensor: Sensor, row: int, column: int) -> wp.vec3:
    rng = wp.rand_init(sensor.seed, _mirror(row, sensor.rows) * sensor.columns + _mirror(column, sensor.columns))
    return wp.vec3(wp.randn(rng), wp.randn(rng), wp.randn(rng))


@wp.kernel
def sense(source: wp.array3d(dtype=wp.vec3), sensors: wp.array(dtype=Sensor), target: wp.array3d(dtype=wp.vec3)):
    """Light that falls on each of the sensor's own pixels, with noise."""
    b, row, column = wp.tid()
    sensor = sensors[b]
    if row >= sensor.rows or column >= sensor.columns:
        return
    tall, wide = float(source.shape[1]) / float(sensor.rows), float(source.shape[2]) / float(sensor.columns)
    top, left = float(row) * tall, float(column) * wide
    total = wp.vec3()
    for r in range(int(top), wp.min(int(wp.ceil(top + tall - 1.0e-4)), source.shape[1])):
        h = wp.min(float(r) + 1.0, top + tall) - wp.max(float(r), top)
        for c in range(int(left), wp.min(int(wp.ceil(left + wide - 1.0e-4)), source.shape[2])):
            w = wp.min(float(c) + 1.0, left + wide) - wp.max(float(c), left)
            total += h * w * source[b, r, c]
    x = total / (tall * wide)
    white = _white(sensor, row, column)
    above, aside = _white(sensor, row - 1, column), _white(sensor, row, column - 1)
    near = white + above + aside + _white(sensor, row - 1, column - 1)
    grain = (0.75 * white + 0.125 * near) * sensor.noise
    for k in range(3):
        x[k] += grain[k] * (0.25 + 0.75 * wp.sqrt(wp.clamp(x[k], 0.0, 1.0)))
    target[b, row, column] = x


@wp.func
def _tone(linear: float) -> float:
    x = wp.max(linear, 0.0)
    if x > 0.6:
        x = 0.6 + 0.4 * (1.0 - wp.exp(-(x - 0.6) / 0.4))
    if x <= 0.0031308:
        return 12.92 * x
    return 1.055 * wp.pow(x, 1.0 / 2.4) - 0.055


@wp.kernel
def develop(
    source: wp.array3d(dtype=wp.vec3),
    sensors: wp.array(dtype=Sensor),
    luminance: wp.vec3,
    target: wp.array4d(dtype=wp.uint8),
):
    """Enlarge to the picture's pixels, then tone curve, saturation, contrast, 8 bits."""
    b, row, column = wp.tid()
    sensor = sensors[b]
    y = (float(row) + 0.5) * float(sensor.rows) / float(target.shape[1]) - 0.5
    x = (float(column) + 0.5) * float(sensor.columns) / float(target.shape[2]) - 0.5
    y, x = wp.clamp(y, 0.0, float(sensor.rows - 1)), wp.clamp(x, 0.0, float(sensor.columns - 1))
    r0, c0 = int(y), int(x)
    r1, c1 = wp.min(r0 + 1, sensor.rows - 1), wp.min(c0 + 1, sensor.columns - 1)
    fy, fx = y - float(r0), x - float(c0)
    upper = source[b, r0, c0] * (1.0 - fx) + source[b, r0, c1] * fx
    lower = source[b, r1, c0] * (1.0 - fx) + source[b, r1, c1] * fx
    linear = upper * (1.0 - fy) + lower * fy
    colour = wp.vec3(_tone(linear[0]), _tone(linear[1]), _tone(linear[2]))
    grey = wp.dot(colour, luminance)
    for k in range(3):
        value = 0.5 + (grey + (colour[k] - grey) * sensor.saturation - 0.5) * sensor.contrast
        target[b, row, column, k] = wp.uint8(wp.clamp(value, 0.0, 1.0) * 255.0 + 0.5)


def expose(linear: wp.array, scenes: Sequence[Scene]) -> wp.array:
    """Do what :func:`facelab.synth.sensor.expose` does for a batch on its device.

    Args:
        linear: (B, H, W) vec3, linear light; it is overwritten.

    Returns:
        (B, H, W, 3) uint8 on the same device.
    """
    (_, height, width), device = linear.shape, linear.device
    windows = [motion_window(scene, noise_generator(scene)) for scene in scenes]
    side = max(len(window) for window in windows)
    stacked = np.zeros((len(scenes), side, side), np.float32)
    sensors = []
    for window, padded, scene in zip(windows, stacked, scenes, strict=True):
        padded[: len(window), : len(window)] = window
        white_balance, exposure = gains(scene)
        one = Sensor()
        one.gain = wp.vec3(*map(float, white_balance * exposure))
        one.sigma = lens_blur(scene, (height, width))
        one.motion = len(window)
        one.rows, one.columns = sensor_size(scene, (height, width))
        one.noise, one.saturation, one.contrast = scene.noise, scene.saturation, scene.contrast
        one.seed = scene.seed
        sensors.append(one)
    cameras = wp.array(sensors, dtype=Sensor, device=device)
    other = wp.empty_like(linear)
    result = wp.empty((*linear.shape, 3), dtype=wp.uint8, device=device)

    def run(kernel: wp.Kernel, *inputs: object) -> None:
        wp.launch(kernel, dim=linear.shape, inputs=list(inputs), device=device)

    run(blur, linear, cameras, 0, other)
    run(blur, other, cameras, 1, linear)
    run(move, linear, cameras, wp.array(stacked, dtype=float, device=device), other)
    run(sense, other, cameras, linear)
    run(develop, linear, cameras, wp.vec3(*map(float, LUMINANCE)), result)
    return result
