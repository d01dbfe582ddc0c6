# ruff: noqa: UP018, RUF046, SIM102, SIM109 - warp reads float(0.0) as a variable, and knows no `in`
"""The renderer's kernels: written once in warp, run on CPU or GPU.

Every kernel has the image of the batch as its first thread index, so several images share a launch. Positions are in
camera space: x right, y up, z towards the camera, which sits at the origin; so depth is -z. Units are decimetres.

Visibility is resolved once per sample in a buffer of 64-bit keys (depth in the upper half, primitive in the lower
half), and the smallest key wins: the result does not depend on the order in which threads run.
"""

import warp as wp

if hasattr(wp, "LOG_ERROR"):  # warp greets on its first kernel, and warns where there is no GPU
    wp.config.log_level = wp.LOG_ERROR
else:
    wp.config.quiet = True

wp.set_module_options({"enable_backward": False})  # nothing is differentiated: half the compile time

# Primitive numbers: head triangles first, then occluder triangles, then hair segments.
SKIN, EYE_LEFT, EYE_RIGHT, TEETH, TONGUE, LASH = 0, 1, 2, 3, 4, 5


@wp.struct
class View:
    """How one image is taken: camera, light, eyes, clothes. Light colours are linear RGB."""

    m0: wp.vec3  # rows of the 2x3 matrix from (x/depth, -y/depth, 1) to output pixels
    m1: wp.vec3
    rotation: wp.mat33  # head space to camera space
    translation: wp.vec3
    key_direction: wp.vec3  # towards the light
    key_colour: wp.vec3
    key_softness: float  # tangent of the light's angular radius
    env: wp.vec3  # irradiance from everywhere: env + env_x n_x + env_y n_y + env_z n_z
    env_x: wp.vec3
    env_y: wp.vec3
    env_z: wp.vec3
    eye_left: wp.vec3  # centres of the eyeballs in camera space; left is image left
    eye_right: wp.vec3
    gaze_left: wp.vec3
    gaze_right: wp.vec3
    cloth: wp.vec3  # colour of the clothes
    neckline: float  # 0 closes the clothes at the throat, 1 opens them wide


@wp.struct
class Person:
    """What does not change between the images of one identity. Colours are linear RGB reflectance."""

    iris: wp.vec3
    iris_radius: float  # radians seen from the centre of the eyeball
    sclera: wp.vec3
    lip: wp.vec3  # multiplies the skin's reflectance on the lips
    hair: wp.vec3
    hair_gloss: float
    skin_gloss: float
    teeth: wp.vec3
    eye_scale: float


@wp.func
def _environment(view: View, normal: wp.vec3) -> wp.vec3:
    light = view.env + view.env_x * normal[0] + view.env_y * normal[1] + view.env_z * normal[2]
    return wp.max(light, wp.vec3(0.0, 0.0, 0.0))


@wp.kernel
def vertex_normals(
    positions: wp.array2d(dtype=wp.vec3),
    triangles: wp.array2d(dtype=wp.int32),
    first: wp.array(dtype=wp.int32),  # (V+1,) where the triangles of a vertex start in `incident`
    incident: wp.array(dtype=wp.int32),
    normals: wp.array2d(dtype=wp.vec3),
):
    b, v = wp.tid()
    total = wp.vec3()
    for k in range(first[v], first[v + 1]):
        t = incident[k]
        p0 = positions[b, triangles[t, 0]]
        total += wp.cross(positions[b, triangles[t, 1]] - p0, positions[b, triangles[t, 2]] - p0)
    normals[b, v] = wp.normalize(total)


@wp.kernel
def ambient_occlusion(
    mesh: wp.uint64,
    positions: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    rays: int,
    reach: float,
    occlusion: wp.array(dtype=float),
):
    """Share of cosine-weighted rays from each vertex that leave the head within ``reach``."""
    v = wp.tid()
    rng = wp.rand_init(17, v)
    free = float(0.0)
    n = normals[v]
    for _k in range(rays):
        direction = wp.normalize(n + wp.sample_unit_sphere_surface(rng))
        if not wp.mesh_query_ray_anyhit(mesh, positions[v] + n * 0.012, direction, reach):
            free += 1.0
    occlusion[v] = free / float(rays)


@wp.kernel
def light_vertices(
    meshes: wp.array(dtype=wp.uint64),
    others: wp.array(dtype=wp.uint64),  # occluders that cast shadows, 0 where there are none
    positions: wp.array2d(dtype=wp.vec3),
    normals: wp.array2d(dtype=wp.vec3),
    occlusion: wp.array(dtype=float),
    views: wp.array(dtype=View),
    rays: int,
    irradiance: wp.array2d(dtype=wp.vec3),
    visibility: wp.array2d(dtype=float),
):
    """Soft-shadowed key light and occluded environment at each vertex that the camera may see."""
    b, v = wp.tid()
    p = positions[b, v]
    n = normals[b, v]
    view = views[b]
    if wp.dot(n, wp.normalize(p)) > 0.35:  # faces well away from the camera
        irradiance[b, v] = view.env * occlusion[v]
        visibility[b, v] = 0.0
        return
    toward = wp.dot(n, view.key_direction)
    seen = float(0.0)
    if toward > -0.2:
        rng = wp.rand_init(29, v)
        a = wp.cross(view.key_direction, wp.vec3(0.31, 0.83, 0.46))
        a = wp.normalize(a)
        c = wp.cross(view.key_direction, a)
        turn = wp.randf(rng) * 6.2832
        start = p + n * 0.03
        for k in range(rays):
            angle = turn + 6.2832 * float(k) / float(rays)
            radius = view.key_softness * wp.sqrt((float(k) + wp.randf(rng)) / float(rays))
            direction = wp.normalize(view.key_direction + a * (radius * wp.cos(angle)) + c * (radius * wp.sin(angle)))
            if not wp.mesh_query_ray_anyhit(meshes[b], start, direction, 6.0):
                free = bool(True)
                if others[b] != wp.uint64(0):
                    free = not wp.mesh_query_ray_anyhit(others[b], start, direction, 6.0)
                if free:
                    seen += 1.0
        seen /= float(rays)
    visibility[b, v] = seen
    # Light wraps a little around the terminator, red most: the cheap part of subsurface scattering.
    wrap = wp.vec3(0.18, 0.08, 0.05)
    lit = wp.vec3(
        wp.max((toward + wrap[0]) / (1.0 + wrap[0]), 0.0),
        wp.max((toward + wrap[1]) / (1.0 + wrap[1]), 0.0),
        wp.max((toward + wrap[2]) / (1.0 + wrap[2]), 0.0),
    )
    irradiance[b, v] = wp.cw_mul(view.key_colour, lit) * seen + _environment(view, n) * occlusion[v]


@wp.kernel
def diffuse_vertices(
    first: wp.array(dtype=wp.int32),
    neighbours: wp.array(dtype=wp.int32),
    amount: wp.vec3,
    source: wp.array2d(dtype=wp.vec3),
    target: wp.array2d(dtype=wp.vec3),
    shadow: wp.array2d(dtype=float),
    shadow_target: wp.array2d(dtype=float),
):
    """One step of diffusion over the mesh, per colour: light that enters skin leaves beside, red the farthest."""
    b, v = wp.tid()
    here = source[b, v]
    mean = wp.vec3()
    shade = float(0.0)
    count = first[v + 1] - first[v]
    for k in range(first[v], first[v + 1]):
        mean += source[b, neighbours[k]]
        shade += shadow[b, neighbours[k]]
    if count > 0:
        mean = mean / float(count)
        shade = shade / float(count)
        target[b, v] = here + wp.cw_mul(mean - here, amount)
        shadow_target[b, v] = 0.6 * shadow[b, v] + 0.4 * shade
    else:
        target[b, v] = here
        shadow_target[b, v] = shadow[b, v]


@wp.func
def _to_samples(view: View, p: wp.vec3, factor: float) -> wp.vec3:
    """Camera space to (column, row, 1/depth) in samples; sample k of a pixel lies at pixel + (k + 0.5)/factor - 0.5."""
    inverse = 1.0 / wp.max(-p[2], 0.1)
    q = wp.vec3(p[0] * inverse, -p[1] * inverse, 1.0)
    return wp.vec3((wp.dot(view.m0, q) + 0.5) * factor - 0.5, (wp.dot(view.m1, q) + 0.5) * factor - 0.5, inverse)


@wp.kernel
def project(
    positions: wp.array2d(dtype=wp.vec3),
    views: wp.array(dtype=View),
    factor: float,
    projected: wp.array2d(dtype=wp.vec3),
):
    b, v = wp.tid()
    projected[b, v] = _to_samples(views[b], positions[b, v], factor)


@wp.func
def _key(inverse_depth: float, primitive: int) -> wp.uint64:
    return (wp.uint64(wp.cast(1.0 / inverse_depth, wp.uint32)) << wp.uint64(32)) | wp.uint64(primitive)


@wp.func
def _edge(a: wp.vec3, b: wp.vec3, x: float, y: float) -> float:
    return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])


@wp.func
def _draw_triangle(
    keys: wp.array3d(dtype=wp.uint64),
    image: int,
    a: wp.vec3,
    b: wp.vec3,
    c: wp.vec3,
    primitive: int,
    two_sided: bool,
    alpha: float,
):
    area = _edge(a, b, c[0], c[1])
    if area > -1.0e-6 and not two_sided:  # rows run downwards, so a triangle that faces the camera has negative area
        return
    if wp.abs(area) < 1.0e-6:
        return
    rows = keys.shape[1]
    columns = keys.shape[2]
    left = wp.max(int(wp.ceil(wp.min(a[0], wp.min(b[0], c[0])))), 0)
    right = wp.min(int(wp.floor(wp.max(a[0], wp.max(b[0], c[0])))), columns - 1)
    top = wp.max(int(wp.ceil(wp.min(a[1], wp.min(b[1], c[1])))), 0)
    bottom = wp.min(int(wp.floor(wp.max(a[1], wp.max(b[1], c[1])))), rows - 1)
    scale = 1.0 / area
    for y in range(top, bottom + 1):
        for x in range(left, right + 1):
            wa = _edge(b, c, float(x), float(y)) * scale
            wb = _edge(c, a, float(x), float(y)) * scale
            wc = 1.0 - wa - wb
            if wa >= 0.0 and wb >= 0.0 and wc >= 0.0:
                if alpha > 0.99 or float((x % 2) + 2 * ((x + y) % 2)) < alpha * 4.0 - 0.5:
                    wp.atomic_min(keys, image, y, x, _key(wa * a[2] + wb * b[2] + wc * c[2], primitive))


@wp.kernel
def draw_head(
    projected: wp.array2d(dtype=wp.vec3),
    triangles: wp.array2d(dtype=wp.int32),
    parts: wp.array(dtype=wp.int32),
    lash: float,
    keys: wp.array3d(dtype=wp.uint64),
):
    b, t = wp.tid()
    is_lash = parts[t] == LASH
    _draw_triangle(
        keys,
        b,
        projected[b, triangles[t, 0]],
        projected[b, triangles[t, 1]],
        projected[b, triangles[t, 2]],
        t,
        is_lash,
        wp.where(is_lash, lash, 1.0),
    )


@wp.kernel
def draw_occluders(
    projected: wp.array2d(dtype=wp.vec3),
    triangles: wp.array3d(dtype=wp.int32),
    alphas: wp.array2d(dtype=float),
    offset: int,
    keys: wp.array3d(dtype=wp.uint64),
):
    b, t = wp.tid()
    if alphas[b, t] <= 0.0:
        return
    _draw_triangle(
        keys,
        b,
        projected[b, triangles[b, t, 0]],
        projected[b, triangles[b, t, 1]],
        projected[b, triangles[b, t, 2]],
        offset + t,
        True,
        alphas[b, t],
    )


@wp.kernel
def place_strands(
    points: wp.array2d(dtype=wp.vec3),  # (strands, points) in head space
    anchors: wp.array(dtype=wp.int32),  # the vertex each strand moves with
    offsets: wp.array2d(dtype=wp.vec3),  # (images, V) expression
    views: wp.array(dtype=View),
    factor: float,
    placed: wp.array3d(dtype=wp.vec3),
    projected: wp.array3d(dtype=wp.vec3),
):
    b, s, k = wp.tid()
    view = views[b]
    p = view.rotation * (points[s, k] + offsets[b, anchors[s]]) + view.translation
    placed[b, s, k] = p
    projected[b, s, k] = _to_samples(view, p, factor)


@wp.kernel
def draw_strands(
    projected: wp.array3d(dtype=wp.vec3),
    widths: wp.array(dtype=float),
    taper: wp.array(dtype=float),
    pixels_per_unit: wp.array(dtype=float),  # per image: samples per dm at depth 1
    offset: int,
    allowed: wp.array(dtype=wp.int32),  # per image: 0 draws only strands that a hat leaves free
    hidden: wp.array(dtype=wp.int32),  # per strand: 1 if a hat hides it
    keys: wp.array3d(dtype=wp.uint64),
):
    """A strand is a chain of thick lines that always face the camera."""
    b, s, k = wp.tid()
    if hidden[s] > 0 and allowed[b] == 0:
        return
    p = projected[b, s, k]
    q = projected[b, s, k + 1]
    points = projected.shape[2]
    rows = keys.shape[1]
    columns = keys.shape[2]
    half = 0.5 * widths[s] * pixels_per_unit[b] * p[2] * (1.0 - taper[s] * float(k) / float(points - 1))
    half = wp.max(half, 0.42)
    left = wp.max(int(wp.ceil(wp.min(p[0], q[0]) - half)), 0)
    right = wp.min(int(wp.floor(wp.max(p[0], q[0]) + half)), columns - 1)
    top = wp.max(int(wp.ceil(wp.min(p[1], q[1]) - half)), 0)
    bottom = wp.min(int(wp.floor(wp.max(p[1], q[1]) + half)), rows - 1)
    dx = q[0] - p[0]
    dy = q[1] - p[1]
    squared = dx * dx + dy * dy + 1.0e-9
    primitive = offset + s * (points - 1) + k
    for y in range(top, bottom + 1):
        for x in range(left, right + 1):
            t = wp.clamp(((float(x) - p[0]) * dx + (float(y) - p[1]) * dy) / squared, 0.0, 1.0)
            ex = float(x) - p[0] - t * dx
            ey = float(y) - p[1] - t * dy
            if ex * ex + ey * ey <= half * half:
                wp.atomic_min(keys, b, y, x, _key(p[2] + t * (q[2] - p[2]), primitive))


@wp.func
def _power(x: float, n: float) -> float:
    return wp.pow(wp.max(x, 1.0e-4), n)


@wp.func
def _texel(texture: wp.array3d(dtype=wp.uint8), u: float, v: float) -> wp.vec4:
    """Bilinear look-up; u wraps around the head. The texture holds square roots, so that 8 bits suffice for dark
    skin."""
    rows = texture.shape[0]
    columns = texture.shape[1]
    x = (u - wp.floor(u)) * float(columns) - 0.5
    y = wp.clamp(v, 0.0, 1.0) * float(rows - 1)
    x0 = int(wp.floor(x))
    y0 = wp.min(int(y), rows - 2)
    fx = x - wp.floor(x)
    fy = y - float(y0)
    left = (x0 + columns) % columns
    right = (x0 + 1 + columns) % columns
    out = wp.vec4()
    for c in range(4):
        top = float(texture[y0, left, c]) * (1.0 - fx) + float(texture[y0, right, c]) * fx
        low = float(texture[y0 + 1, left, c]) * (1.0 - fx) + float(texture[y0 + 1, right, c]) * fx
        out[c] = (top * (1.0 - fy) + low * fy) / 255.0
    return out


@wp.func
def _gloss(view: View, n: wp.vec3, to_eye: wp.vec3, exponent: float) -> float:
    """Blinn-Phong highlight with Fresnel at skin's and cornea's 2.8 % normal reflectance, per unit of key light."""
    half = wp.normalize(view.key_direction + to_eye)
    cosine = 1.0 - wp.max(wp.dot(half, to_eye), 0.0)
    fresnel = 0.028 + 0.972 * cosine * cosine * cosine * cosine * cosine
    return (
        fresnel
        * (exponent + 8.0)
        / 8.0
        * _power(wp.dot(n, half), exponent)
        * wp.max(wp.dot(n, view.key_direction), 0.0)
    )


@wp.func
def _eye_colour(view: View, person: Person, p: wp.vec3, right: bool, light: wp.vec3, shadow: float) -> wp.vec3:
    centre = view.eye_left
    gaze = view.gaze_left
    if right:
        centre = view.eye_right
        gaze = view.gaze_right
    d = wp.normalize(p - centre)
    cosine = wp.clamp(wp.dot(d, gaze), -1.0, 1.0)
    angle = wp.acos(cosine) / person.iris_radius
    up = view.rotation * wp.vec3(0.0, 1.0, 0.0)
    side = wp.normalize(wp.cross(up, gaze))
    around = wp.atan2(wp.dot(d, wp.cross(gaze, side)), wp.dot(d, side))
    colour = person.sclera * (1.0 - 0.12 * wp.clamp(angle - 1.5, 0.0, 1.5))
    edge = wp.clamp((1.05 - angle) / 0.12, 0.0, 1.0)
    fibres = 0.82 + 0.18 * wp.sin(around * 23.0 + 3.0 * wp.sin(around * 7.0))
    ring = 1.0 - 0.65 * wp.clamp((angle - 0.72) / 0.3, 0.0, 1.0)
    warm = wp.clamp((0.62 - angle) / 0.25, 0.0, 1.0)
    iris = wp.cw_mul(person.iris, wp.vec3(1.0 + 0.5 * warm, 1.0 + 0.25 * warm, 1.0)) * (fibres * ring)
    pupil = wp.clamp((angle - 0.36) / 0.08, 0.0, 1.0)
    iris = iris * (pupil * 0.97 + 0.03)
    colour = colour * (1.0 - edge) + iris * edge
    to_eye = wp.normalize(-p)
    bulge = wp.clamp(1.15 - angle, 0.0, 1.0)
    n = wp.normalize(d + gaze * (0.35 * bulge))  # the cornea is steeper than the eyeball
    shine = view.key_colour * (_gloss(view, n, to_eye, 260.0) * shadow)
    mirror = wp.normalize(2.0 * wp.dot(n, to_eye) * n - to_eye)
    shine += _environment(view, mirror) * (0.035 * wp.clamp(0.3 + mirror[1], 0.0, 1.0))
    return wp.cw_mul(colour, light) + shine


@wp.func
def _hair_colour(
    view: View, person: Person, p: wp.vec3, tangent: wp.vec3, centre: wp.vec3, tint: wp.vec3, depth: float
) -> wp.vec3:
    """Kajiya and Kay 1989: diffuse sin(T, L), highlight around the cone of mirror directions; inner strands lie in
    shade."""
    outward = wp.normalize(p - centre)
    to_eye = wp.normalize(-p)
    along = wp.dot(tangent, view.key_direction)
    diffuse = wp.sqrt(wp.max(1.0 - along * along, 0.0))
    reach = wp.clamp(0.25 + 0.85 * wp.dot(outward, view.key_direction), 0.0, 1.0)
    half = wp.normalize(view.key_direction + to_eye)
    th = wp.dot(tangent, half) + 0.08
    sheen = wp.sqrt(wp.max(1.0 - th * th, 0.0))
    albedo = wp.cw_mul(person.hair, tint)
    shade = 0.25 + 0.75 * depth
    colour = wp.cw_mul(albedo, view.key_colour * (diffuse * reach) + _environment(view, outward) * 0.8) * shade
    white = wp.vec3(0.045, 0.045, 0.045) * person.hair_gloss
    tinted = albedo * (1.1 * person.hair_gloss)
    colour += wp.cw_mul(view.key_colour, white * _power(sheen, 90.0) + tinted * _power(sheen, 22.0)) * (reach * shade)
    return colour


@wp.kernel
def shade(
    keys: wp.array3d(dtype=wp.uint64),
    views: wp.array(dtype=View),
    people: wp.array(dtype=Person),
    # head
    triangles: wp.array2d(dtype=wp.int32),
    parts: wp.array(dtype=wp.int32),
    positions: wp.array2d(dtype=wp.vec3),
    normals: wp.array2d(dtype=wp.vec3),
    projected: wp.array2d(dtype=wp.vec3),
    irradiance: wp.array2d(dtype=wp.vec3),
    visibility: wp.array2d(dtype=float),
    occlusion: wp.array(dtype=float),
    rest: wp.array(dtype=wp.vec3),  # template positions
    paint: wp.array(dtype=wp.vec3),  # texture u, texture v, and 1 inside the mouth
    lips: wp.array(dtype=float),
    texture: wp.array3d(dtype=wp.uint8),
    # occluders
    occluder_triangles: wp.array3d(dtype=wp.int32),
    occluder_positions: wp.array2d(dtype=wp.vec3),
    occluder_normals: wp.array2d(dtype=wp.vec3),
    occluder_projected: wp.array2d(dtype=wp.vec3),
    occluder_colours: wp.array2d(dtype=wp.vec4),
    # hair
    strands: wp.array3d(dtype=wp.vec3),
    strand_projected: wp.array3d(dtype=wp.vec3),
    strand_tint: wp.array(dtype=wp.vec3),
    strand_depth: wp.array2d(dtype=float),
    head_triangles: int,
    first_strand: int,
    factor: int,
    background: wp.array3d(dtype=wp.vec3),
    image: wp.array3d(dtype=wp.vec3),
    coverage: wp.array3d(dtype=float),
    kinds: wp.array3d(dtype=wp.uint8),
):
    """Colour of one pixel: the mean over its samples, each the nearest primitive or the background."""
    b, row, column = wp.tid()
    view = views[b]
    person = people[b]
    total = wp.vec3()
    covered = float(0.0)
    kind = int(0)
    empty = wp.uint64(0xFFFFFFFFFFFFFFFF)
    points = strands.shape[2]
    head_centre = view.translation
    for sy in range(factor):
        for sx in range(factor):
            y = row * factor + sy
            x = column * factor + sx
            key = keys[b, y, x]
            if key == empty:
                continue
            covered += 1.0
            primitive = int(key & wp.uint64(0xFFFFFFFF))
            if primitive >= first_strand:
                s = (primitive - first_strand) / (points - 1)
                k = (primitive - first_strand) - s * (points - 1)
                p = strands[b, s, k]
                q = strands[b, s, k + 1]
                total += _hair_colour(
                    view, person, p, wp.normalize(q - p), head_centre, strand_tint[s], strand_depth[s, k]
                )
                kind = wp.max(kind, 2)
            elif primitive >= head_triangles:
                t = primitive - head_triangles
                i0 = occluder_triangles[b, t, 0]
                i1 = occluder_triangles[b, t, 1]
                i2 = occluder_triangles[b, t, 2]
                a = occluder_projected[b, i0]
                c1 = occluder_projected[b, i1]
                c2 = occluder_projected[b, i2]
                scale = 1.0 / _edge(a, c1, c2[0], c2[1])
                wa = _edge(c1, c2, float(x), float(y)) * scale
                wb = _edge(c2, a, float(x), float(y)) * scale
                wc = 1.0 - wa - wb
                p = wa * occluder_positions[b, i0] + wb * occluder_positions[b, i1] + wc * occluder_positions[b, i2]
                n = wp.normalize(
                    wa * occluder_normals[b, i0] + wb * occluder_normals[b, i1] + wc * occluder_normals[b, i2]
                )
                material = wa * occluder_colours[b, i0] + wb * occluder_colours[b, i1] + wc * occluder_colours[b, i2]
                to_eye = wp.normalize(-p)
                if wp.dot(n, to_eye) < 0.0:
                    n = -n
                light = view.key_colour * wp.max(wp.dot(n, view.key_direction), 0.0) + _environment(view, n)
                colour = wp.cw_mul(wp.vec3(material[0], material[1], material[2]), light)
                mirror = wp.normalize(2.0 * wp.dot(n, to_eye) * n - to_eye)
                colour += view.key_colour * (_gloss(view, n, to_eye, 60.0) * material[3] * 2.0)
                colour += _environment(view, mirror) * (0.04 * material[3])
                total += colour
                kind = wp.max(kind, 6)
            else:
                t = primitive
                i0 = triangles[t, 0]
                i1 = triangles[t, 1]
                i2 = triangles[t, 2]
                a = projected[b, i0]
                c1 = projected[b, i1]
                c2 = projected[b, i2]
                scale = 1.0 / _edge(a, c1, c2[0], c2[1])
                wa = _edge(c1, c2, float(x), float(y)) * scale * a[2]
                wb = _edge(c2, a, float(x), float(y)) * scale * c1[2]
                wc = (1.0 - (_edge(c1, c2, float(x), float(y)) + _edge(c2, a, float(x), float(y))) * scale) * c2[2]
                norm = 1.0 / (wa + wb + wc)  # perspective-correct weights
                wa *= norm
                wb *= norm
                wc *= norm
                p = wa * positions[b, i0] + wb * positions[b, i1] + wc * positions[b, i2]
                n = wp.normalize(wa * normals[b, i0] + wb * normals[b, i1] + wc * normals[b, i2])
                light = wa * irradiance[b, i0] + wb * irradiance[b, i1] + wc * irradiance[b, i2]
                shadow = wa * visibility[b, i0] + wb * visibility[b, i1] + wc * visibility[b, i2]
                open = wa * occlusion[i0] + wb * occlusion[i1] + wc * occlusion[i2]
                part = parts[t]
                to_eye = wp.normalize(-p)
                if part == SKIN:
                    place = wa * rest[i0] + wb * rest[i1] + wc * rest[i2]
                    # Clothes cover what is low or far from the neck's axis; the neckline opens in front.
                    front = wp.clamp((place[2] - 0.2) * 1.6, 0.0, 1.0) * wp.exp(-place[0] * place[0] * 5.0)
                    aside = wp.sqrt(place[0] * place[0] + 0.6 * (place[2] - 0.1) * (place[2] - 0.1))
                    collar = 5.76 - (0.12 + 0.75 * view.neckline) * front
                    if place[1] < collar or (place[1] < 6.0 and aside > 0.66 + 0.16 * view.neckline):
                        total += wp.cw_mul(view.cloth, light) * (
                            0.9 + 0.1 * wp.sin(place[0] * 90.0) * wp.sin(place[1] * 90.0)
                        )
                        kind = wp.max(kind, 5)
                    else:
                        u0 = paint[i0]
                        u1 = paint[i1]
                        u2 = paint[i2]
                        if (
                            wp.max(u0[0], wp.max(u1[0], u2[0])) - wp.min(u0[0], wp.min(u1[0], u2[0])) > 0.5
                        ):  # seam behind
                            u0 = wp.vec3(wp.where(u0[0] < 0.5, u0[0] + 1.0, u0[0]), u0[1], u0[2])
                            u1 = wp.vec3(wp.where(u1[0] < 0.5, u1[0] + 1.0, u1[0]), u1[1], u1[2])
                            u2 = wp.vec3(wp.where(u2[0] < 0.5, u2[0] + 1.0, u2[0]), u2[1], u2[2])
                        uv = wa * u0 + wb * u1 + wc * u2
                        texel = _texel(texture, uv[0], uv[1])
                        albedo = wp.vec3(texel[0] * texel[0], texel[1] * texel[1], texel[2] * texel[2])
                        lip = wa * lips[i0] + wb * lips[i1] + wc * lips[i2]
                        lip = wp.clamp((lip - 0.25) * 2.0, 0.0, 1.0)
                        albedo = wp.cw_mul(albedo, wp.vec3(1.0, 1.0, 1.0) * (1.0 - lip) + person.lip * lip)
                        mouth = uv[2] * wp.clamp((0.5 - open) * 3.0, 0.0, 1.0)
                        albedo = albedo * (1.0 - mouth) + wp.vec3(0.2, 0.05, 0.045) * mouth
                        # relief: the texture's height, as slope along u and v
                        du = _texel(texture, uv[0] + 0.0015, uv[1])[3] - texel[3]
                        dv = _texel(texture, uv[0], uv[1] + 0.002)[3] - texel[3]
                        right = wp.normalize(wp.cross(view.rotation * wp.vec3(0.0, 1.0, 0.0), n))
                        bumped = wp.normalize(n - right * (du * 2.2) + wp.cross(n, right) * (dv * 2.2))
                        relief = (
                            1.0 + 0.8 * (wp.dot(bumped, view.key_direction) - wp.dot(n, view.key_direction)) * shadow
                        )
                        gloss = person.skin_gloss * (1.0 + 1.2 * lip)
                        shine = 0.65 * _gloss(view, bumped, to_eye, 14.0) + 0.35 * _gloss(view, bumped, to_eye, 40.0)
                        grazing = 1.0 - wp.max(wp.dot(n, to_eye), 0.0)
                        mirror = wp.normalize(2.0 * wp.dot(n, to_eye) * n - to_eye)
                        rim = 0.02 + 0.25 * grazing * grazing * grazing * grazing
                        colour = wp.cw_mul(albedo, light) * relief
                        colour += view.key_colour * (shine * gloss * shadow)
                        colour += _environment(view, mirror) * (rim * gloss * open * 0.6)
                        total += colour
                        kind = wp.max(kind, 1)
                elif part == EYE_LEFT or part == EYE_RIGHT:
                    total += _eye_colour(view, person, p, part == EYE_RIGHT, light, shadow)
                    kind = wp.max(kind, 3)
                elif part == TEETH:
                    total += wp.cw_mul(person.teeth, light) * 0.8 + view.key_colour * (
                        0.3 * shadow * _gloss(view, n, to_eye, 60.0)
                    )
                    kind = wp.max(kind, 4)
                elif part == LASH:
                    total += wp.cw_mul(wp.vec3(0.018, 0.013, 0.011), light)
                    kind = wp.max(kind, 1)
                else:
                    total += wp.cw_mul(wp.vec3(0.33, 0.12, 0.11), light)
                    kind = wp.max(kind, 4)
    samples = float(factor * factor)
    covered = covered / samples
    image[b, row, column] = total / samples + background[b, row, column] * (1.0 - covered)
    coverage[b, row, column] = covered
    kinds[b, row, column] = wp.uint8(kind)
