"""The command as a whole: options that would do nothing, values out of range, streams, names that look like markup."""

import re
import signal
import subprocess
import sys

import pytest

from facelab.cli import app

HUGE = str(2**70)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        app(list(arguments))
    return stopped.value.code


FEW = ("synth", "--identities", "2", "--images", "2")


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("synth", "synthfaces-mini", "--seed", "4"), "--seed"),
        (("synth", "synthfaces-mini", "--held-out", "0", "--size", "112"), "--held-out, --size"),
        (("synth", "synthfaces-500", "--margin", "8", "--relatives", "siblings"), "--margin, --relatives"),
        (("synth", "--photographs", "2", "--size", "64", "--relatives", "cousins"), "--relatives, --size"),
        (("align", "x", "--out", "y", "--detections", "z", "--detector", "yunet"), "--detector"),
        (("align", "x", "--out", "y", "--detections", "z", "--turns", "--device", "cpu"), "--device, --turns"),
        (("compare", "n", "a", "b", "--threshold-from", "t", "--far", "0.01"), "--far"),
        (("compare", "n", "a", "b", "--threshold-from", "t", "--calibrate-on", "orl"), "--calibrate-on"),
        (("compare", "n", "a", "b", "--threshold-from", "t", "--images", "chips", "--turns"), "--turns"),
        (("evaluate", "n", "--data", "strangers", "--which", "all"), "--which"),
        (("evaluate", "n", "--data", "orl", "--images", "chips", "--turns"), "--turns"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_option_that_would_do_nothing_is_refused(arguments, options, capsys):
    assert run(*arguments) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"facelab: {options} would do nothing: ")
    assert len(said.splitlines()) == 1


def test_another_set_like_a_preset_is_offered_and_is_one(capsys):
    from facelab.synth import SynthRecipe
    from facelab.synth.recipe import PRESETS, choose

    assert run("synth", "synthfaces-500", "--seed", "4") == 2
    offered = re.findall(r"--([a-z-]+) (\d+)", capsys.readouterr().err)
    recipe, _ = choose(**{name.replace("-", "_"): int(value) for name, value in offered})
    assert recipe == SynthRecipe(**{**vars(PRESETS["synthfaces-500"]), "seed": 4})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*FEW, "--address", "tcp://10.0.0.7:8786"), "is of a cluster"),
        ((*FEW, "--backend", "spark"), "choose 'local', 'dask' or 'ray'"),
        ((*FEW, "--backend", "dask", "--address", "x:1", "--workers", "3"), "are of this machine"),
        ((*FEW, "--workers", "-1"), "workers=-1: this machine has"),
        ((*FEW, "--workers", "100000"), "workers=100000: this machine has"),
        (("synth", "--identities", "1000000000", "--images", "1"), "give 1 or more, 1,000,000 at most"),
        (("synth", "--identities", "1", "--images", "1000000000"), "images=1000000000; give 1 or more, 10,000 at most"),
        (("synth", "--photographs", "1000000000"), "give 1 to 1,000,000"),
        ((*FEW, "--size", "100000"), "size=100000; give 1 or more, 1,024 at most"),
        ((*FEW, "--margin", "100000"), "give 0 to 1024 pixels"),
        ((*FEW, "--out", "nobody://x"), "cannot open nobody://x"),
        ((*FEW, "--out", "zip://x"), "cannot open zip://x"),
        (("train", "quick", "--set", "epochs=1000000000"), "less than or equal to 100000"),
        (("train", "quick", "--set", "size=1000000000"), "less than or equal to 1024"),
        (("train", "quick", "--set", f"seed={HUGE}"), "seed"),
        (("train", "quick", "--set", "learning_rate=1e308"), "learning_rate = 1e+308"),
        (("train", "quick", "--set", "epochs=" + "9" * 5000), "epochs"),
        (("train", "quick", "--set", "epochs=3\nseed=2"), "one FIELD=VALUE each"),
        (("train", "quick", "--set", "loss.nam=arcface"), "perhaps name is meant"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_a_value_out_of_its_range_is_one_line(arguments, message, capsys, tmp_path):
    out = ("--out", str(tmp_path / "set")) if "--out" not in arguments else ()
    assert run(*arguments, *out) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert len(said) < 1000
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        (*FEW, "--seed", HUGE),
        ("quickstart", "--seed", HUGE),
        ("train", "quick", "--seed", HUGE),
        ("train", "quick", "--workers", "-1"),
        ("train", "quick", "--memory", "-1"),
        ("evaluate", "n", "--data", "orl", "--seed", HUGE),
        ("evaluate", "n", "--data", "orl", "--replicates", "0"),
        ("evaluate", "n", "--data", "orl", "--replicates", "1000000000"),
        ("align", "x", "--out", "y", "--size", "100000"),
    ],
    ids=" ".join,
)
def test_a_number_that_no_verb_takes_is_refused_by_its_option(arguments, capsys):
    assert run(*arguments) == 2
    assert "Invalid value for" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["runs/eval [new]", "runs/eval[/i]", "a[red]b", "[/]", "50%\\"])
def test_names_that_look_like_markup_are_printed_as_they_are(name, capsys, monkeypatch):
    class Outcome:
        results = {"data": {"name": name}}  # noqa: RUF012
        notes = [f"6 identities of {name} are known."]  # noqa: RUF012

        def table(self):
            return ["measure", name], [[name, "0.9"]]

    monkeypatch.setattr("facelab.reports.evaluation.evaluate", lambda *a, **k: Outcome())
    monkeypatch.setattr("facelab.cli.evaluate.console.width", 200, raising=False)
    assert run("evaluate", "x.pt", "--data", name, "--report", name) == 0
    said = capsys.readouterr().out
    assert said.count(name) >= 5
    assert f"Report: {name}" in said


COMMAND = (sys.executable, "-m", "facelab", "data")


@pytest.mark.slow
def test_a_full_standard_output_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(COMMAND, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.strip().startswith("facelab: cannot write to standard output: No space left on device.")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_reader_who_has_gone_away_needs_no_explanation():
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


ASCII = """
import facelab.cli
from facelab.cli.program import say
facelab.cli.app = lambda: say("é 漢 \\udce9 →")
from facelab.__main__ import main
main()
"""


@pytest.mark.slow
def test_what_the_output_cannot_hold_is_written_as_its_number():
    environment = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", ASCII], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\\xe9 \\u6f22 \\udce9 \\u2192\n", "")


ENDED = """
import os, signal, sys
import facelab.cli
def work():
    if sys.argv[1] == "import":
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("a library's own") from error
    try:
        os.kill(os.getpid(), int(sys.argv[1]))
    finally:
        print("cleaned up", flush=True)
facelab.cli.app = work
from facelab.__main__ import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cause", "code", "said"),
    [
        (str(int(signal.SIGINT)), 130, "interrupted"),
        (str(int(signal.SIGTERM)), 143, "ended by SIGTERM"),
        ("import", 130, "interrupted"),
    ],
)
def test_whatever_ends_the_command_it_ends_with_a_line_and_cleans_up(cause, code, said):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what it sends to the background deaf
    done = subprocess.run([sys.executable, "-c", ENDED, cause], capture_output=True, text=True)
    assert done.returncode == code
    assert done.stderr.strip() == f"facelab: {said}. What was finished is kept; run the same command to go on."
    assert done.stdout.strip() == ("" if cause == "import" else "cleaned up")
