"""One verb per stage, one file per verb; no logic of its own. Heavy imports wait until a verb needs them."""

from facelab.cli import (
    align,
    compare,
    coursework,
    data,
    detect,
    embed,
    evaluate,
    export,
    gallery,
    quickstart,
    study,
    synth,
    train,
)
from facelab.cli.program import Verb, app, typer_app

for verb in (  # as the help lists them
    quickstart.quickstart,
    detect.detect,
    align.align,
    synth.synth,
    train.train,
    embed.embed,
    export.export,
    compare.compare,
    evaluate.evaluate,
):
    typer_app.command(cls=Verb)(verb)
typer_app.add_typer(data.data, name="data")
typer_app.add_typer(gallery.gallery, name="gallery")
typer_app.add_typer(study.study, name="study")
typer_app.add_typer(coursework.coursework, name="coursework")

__all__ = ["app"]
