"""``facelab evaluate``: what holds for every protocol."""

import subprocess
import sys
from typing import get_args, get_type_hints

import cv2
import pytest

from facelab.cli.evaluate import evaluate as command
from facelab.data.images import write_image
from facelab.errors import FacelabError
from facelab.reports.evaluation import PROTOCOLS, evaluate, make_protocol
from facelab.reports.identification import Identification

pytestmark = pytest.mark.slow


def error(run, capsys, *arguments: object) -> str:
    assert run(*arguments) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    return said


def test_identities_of_the_training_are_named_and_can_be_left_out(
    checkpoint, orl_chips, tmp_path, write_chips, read_results
):
    mixed = write_chips(orl_chips.select((orl_chips.labels >= 6) & (orl_chips.labels < 18)), tmp_path / "mixed")
    options = {"protocol": Identification(), "report": tmp_path, "replicates": 5, "device": "cpu"}
    evaluate(checkpoint, mixed, **options)
    assert "4 of 12 identities have names that the network was trained on" in " ".join(read_results(tmp_path)["notes"])
    evaluate(checkpoint, mixed, strangers_only=True, **options)
    assert read_results(tmp_path)["data"]["identities"] == 8
    assert "4 identities of the training were left out" in read_results(tmp_path)["data"]["how"]


def test_a_folder_of_photographs_is_detected_and_aligned(checkpoint, orl, tmp_path, write_chips, read_results):
    photographs = write_chips(orl.select(orl.labels < 4), tmp_path / "photographs")
    (photographs / "s01" / "broken.png").write_bytes(b"no picture")
    evaluate(checkpoint, photographs, report=tmp_path, replicates=5, device="cpu")
    how = read_results(tmp_path)["data"]["how"]
    assert "detected and aligned by MTCNN: 40 of 40 faces found" in how
    assert "1 file could not be read" in how


def test_flip_and_its_threshold(checkpoint, folder, truth, tmp_path, read_results):
    options = {"replicates": 2, "device": "cpu"}
    evaluate(checkpoint, folder, report=tmp_path / "flip", flip=True, **options)
    evaluate(checkpoint, folder, report=tmp_path / "plain", **options)
    found = {name: read_results(tmp_path / name) for name in ("flip", "plain")}
    assert (found["flip"]["flip"], found["plain"]["flip"]) == (True, False)
    assert found["flip"]["operating_point"]["threshold"] != found["plain"]["operating_point"]["threshold"]
    for name, other in (("flip", False), ("plain", True)):
        given = make_protocol("verification", threshold_from=tmp_path / name / "results.json")
        with pytest.raises(FacelabError, match="--flip"):
            evaluate(checkpoint, folder, given, report=tmp_path / "never", flip=other, **options)
    assert not (tmp_path / "never").exists()


def test_all_faces_of_a_group_have_no_name(checkpoint, folder, tmp_path):
    with pytest.raises(FacelabError, match="--which all: nobody knows"):
        evaluate(checkpoint, folder, which="all", report=tmp_path, device="cpu")


def test_errors_say_what_to_do(checkpoint, folder, orl, tmp_path, capsys, run):
    (tmp_path / "damaged.pt").write_bytes(checkpoint.read_bytes()[:1000])
    one = tmp_path / "one"
    write_image(one / "ann" / "1.png", cv2.resize(orl[0][0], (64, 64)))
    mixed = tmp_path / "mixed"
    for k, size in enumerate((64, 80)):
        write_image(mixed / "ab"[k] / "1.png", cv2.resize(orl[0][0], (size, size)))
    (tmp_path / "t.json").write_text('{"threshold": "high"}')
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("s29 1 2\ns29 1 s30 1\n")
    cases = [
        ((tmp_path / "none.pt", "--data", folder), "there is no checkpoint"),
        ((tmp_path / "damaged.pt", "--data", folder), "damaged, or not a checkpoint"),
        ((checkpoint, "--data", "celebrities"), "there is no data set 'celebrities': give orl, synthfaces-mini"),
        ((checkpoint, "--data", one), "1 identity; at least 2"),
        ((checkpoint, "--data", mixed, "--images", "chips"), "does not hold aligned chips: its pictures have 2 sizes"),
        ((checkpoint, "--data", folder, "--pairs", "p.txt"), "--pairs is for the protocol 10fold"),
        ((checkpoint, "--data", tmp_path / "x.bin"), "use --protocol 10fold"),
        ((checkpoint, "--data", tmp_path / "x.bin", "--protocol", "10fold"), "cannot read"),
        ((checkpoint, "--data", folder, "--threshold-from", tmp_path / "t.json"), "holds no threshold"),
        ((checkpoint, "--data", folder, "--far", 0), "far=0: it must lie in (0, 1]"),
        ((checkpoint, "--data", tmp_path / "x.bin", "--protocol", "10fold", "--pairs", pairs), "a list of its own"),
        ((checkpoint, "--data", folder, "--protocol", "10fold", "--pairs", "none.txt"), "cannot read none.txt"),
        (
            (checkpoint, "--data", folder, "--protocol", "10fold", "--pairs", pairs, "--strangers-only"),
            "--strangers-only cannot change a list of pairs",
        ),
        ((checkpoint, "--data", folder, "--protocol", "10fold", "--threshold-from", "t"), "for the protocol verif"),
        (
            (checkpoint, "--data", folder, "--protocol", "10fold", "--far", 0.1),
            "--far is for the protocol verif",
        ),
    ]
    for arguments, message in cases:
        assert message in error(run, capsys, *arguments, "--report", tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_protocols_have_the_names_that_the_command_offers():
    assert get_args(get_type_hints(command)["protocol"]) == tuple(PROTOCOLS)
    for name, protocol in PROTOCOLS.items():
        assert make_protocol(name) == protocol()
    with pytest.raises(FacelabError, match="protocol '1:N': choose one of verification, identification, 10fold"):
        make_protocol("1:N")


KILLED = '''
import json, os, signal, sys
from pathlib import Path
import cv2
from facelab.reports.evaluation import evaluate
from facelab.reports.identification import Identification

network, pictures, report = map(Path, sys.argv[1:])
rename = os.replace

def run(seed, last=None):
    """Evaluate, and be killed at the rename after so many; return how many there were."""
    renamed = 0
    def count(*names, **options):
        nonlocal renamed
        if renamed == last:
            os.kill(os.getpid(), signal.SIGKILL)
        renamed += 1
        return rename(*names, **options)
    os.replace = count
    evaluate(network, pictures, Identification(), report=report, seed=seed, replicates=2, device="cpu")
    return renamed

files = run(seed=0)
for last in (0, files // 2, files - 1, files):
    child = os.fork()
    if child == 0:
        run(1, last)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == (0 if last == files else signal.SIGKILL)
    assert json.loads((report / "results.json").read_text())["seed"] in (0, 1)
    assert (report / "report.html").read_text().rstrip().endswith("</html>")
    for figure in (report / "figures").glob("*.png"):
        assert cv2.imread(str(figure)) is not None, figure
print(files, json.loads((report / "results.json").read_text())["seed"])
'''


def test_a_killed_evaluation_leaves_whole_files(checkpoint, folder, tmp_path):
    command = [sys.executable, "-c", KILLED, checkpoint, folder, tmp_path / "report"]
    files, seed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-2:]
    assert int(files) > 3
    assert seed == "1"
