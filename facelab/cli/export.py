"""``facelab export``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from facelab.cli.program import Network, console, refuse, say


def export(
    context: typer.Context,
    checkpoint: Network,
    out: Annotated[Path, typer.Option(help="The ONNX file to be written.")] = Path("net.onnx"),
    int8: Annotated[
        bool,
        typer.Option("--int8", help="8-bit numbers: a third of the size or less, and faster where the CPU has VNNI."),
    ] = False,
    calibrate: Annotated[
        str, typer.Option(help="int8: faces to choose its ranges on (half of the people) and to measure on (the rest).")
    ] = "orl",
    far: Annotated[float, typer.Option(help="int8: false accept rate at which its threshold is chosen.")] = 0.01,
    threshold: Annotated[
        Path | None, typer.Option(help="A results.json of facelab evaluate, whose threshold goes into the file.")
    ] = None,
    data: Annotated[str, typer.Option(help="What it was trained on, to be said in the file.")] = "",
    licence: Annotated[str, typer.Option(help="Under which the network may be used, likewise.")] = "",
    latency: Annotated[
        bool, typer.Option("--latency", help="Also measure PyTorch beside the file, at batches of 1 and 32.")
    ] = False,
) -> None:
    """Write a network as an ONNX file, which any runtime takes: pixels in, embeddings out."""
    if int8:
        refuse(context, {"threshold"}, "int8 moves scores, so its threshold is chosen again")
    else:
        refuse(context, {"calibrate", "far"}, "there is nothing to calibrate without --int8")
    from facelab.reports.export import export as run

    report = run(
        checkpoint,
        out,
        calibrate=calibrate if int8 else None,
        far=far,
        threshold=threshold,
        data=data,
        licence=licence,
        with_latency=latency,
        show_progress=True,
    )
    for sentence in report.sentences():
        say(sentence)
    if report.latency:
        table = Table("batch", "network", "ms", "CPU ms", "times as fast as PyTorch (CPU)")
        for batch, kinds in report.latency.items():
            for name, taken in kinds.items():
                ratio = kinds["PyTorch"].cpu / taken.cpu
                table.add_row(str(batch), name, f"{taken.wall:.1f}", f"{taken.cpu:.1f}", f"{ratio:.2f}")
        console.print(table)
    say(f"Written to {out}")
