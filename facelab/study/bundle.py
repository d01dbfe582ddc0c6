"""What a machine without a network needs to run a study: source, plan, rendered faces, in parts that can be carried."""

import shlex
import tarfile
from pathlib import Path

import facelab
from facelab.errors import FacelabError
from facelab.files import atomic_write, claim, facelab_home
from facelab.study.experiment import Job
from facelab.study.plan import Plan, plan_file
from facelab.study.rendered import Render, rendered

SCRIPT = """\
#!/usr/bin/env bash
# Runs the plan {plan} with facelab {version}, without a network. Options as of facelab study run: --device, --jobs, ...
# Needs Python 3.11 or newer with torch and what else facelab imports; for what the machine lacks, put wheels into the
# folder wheels/ beside this file. Called again, it goes on where it was. Then carry the folder runs/ back.
set -euo pipefail
cd "$(dirname "$0")"
for part in {parts}; do tar -xf "$part"; done
if compgen -G 'wheels/*.whl' >/dev/null; then
    python3 -m pip install --quiet --no-index --no-deps --target site wheels/*.whl
fi
export PYTHONPATH="$PWD/site:$PWD/source" FACELAB_HOME="$PWD/home"
python3 -m facelab study run plan.toml --out runs "$@"
"""


def bundle(
    plan: Path | str, out: Path | str, *, part_mb: float = 60, workers: int = 1, show_progress: bool = False
) -> list[Path]:
    """Pack a study; faces that are not rendered yet are rendered first, so that the other machine need not.

    Args:
        plan: which study; as for :meth:`facelab.study.plan.Plan.load`.
        out: a folder; it gets ``run.sh``, ``plan.toml`` and ``part-1.tar``, ``part-2.tar``, ...
        part_mb: no part is larger, in megabytes of 10⁶ bytes.
        workers: processes that render.

    Returns:
        The files, the script first.

    Raises:
        FacelabError: a single file is larger than a part, or a file of another's is in the way.
    """
    out, home = Path(out), facelab_home()
    named = Plan.load(plan)
    source = Path(facelab.__file__).parent
    packed = {f"source/facelab/{path.relative_to(source).as_posix()}": path for path in _files(source)}
    for run in named.settings.runs().values():
        if isinstance(run, Render):
            job = Job("cpu", workers, out, out, {}, show_progress)
            for path in _files(rendered(run.recipe, job)):
                packed[f"home/{path.relative_to(home).as_posix()}"] = path
    parts = _parts(packed, int(part_mb * 1e6))
    names = [f"part-{number}.tar" for number in range(1, len(parts) + 1)]
    claim(out, ["run.sh", "plan.toml", *names])
    for name, members in zip(names, parts, strict=True):
        with atomic_write(out / name) as temporary, tarfile.open(temporary, "w") as tar:
            for member in members:
                tar.add(packed[member], member)
    with atomic_write(out / "plan.toml") as temporary:
        temporary.write_bytes(plan_file(plan).read_bytes())
    script = SCRIPT.format(plan=named.name, version=facelab.__version__, parts=shlex.join(names))
    with atomic_write(out / "run.sh") as temporary:
        temporary.write_text(script, encoding="utf-8")
    return [out / name for name in ("run.sh", "plan.toml", *names)]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _parts(packed: dict[str, Path], most: int) -> list[list[str]]:
    """Put whole files into parts of at most so many bytes, in order."""
    parts: list[list[str]] = []
    room = 0
    for name, path in packed.items():
        # A tar file has a header of 512 bytes before each file (a long name has two more blocks), fills its last block,
        # and ends with blocks of zeros, up to 10,240 bytes.
        need = path.stat().st_size + 4 * 512
        if need > most - 10_240:
            raise FacelabError(f"{path} has {path.stat().st_size / 1e6:.1f} MB, more than a part; give --part-mb more.")
        if need > room:
            parts.append([])
            room = most - 10_240
        parts[-1].append(name)
        room -= need
    return parts
