"""``facelab quickstart``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from facelab.cli.program import LARGEST_SEED, Device, console, say


def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for report, results and figures.")] = Path("runs/quickstart"),
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of splits, networks and training.")] = 0,
    device: Device = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over instead of reusing what is there.")] = False,
) -> None:
    """Run the whole chain on real photographs (about 2 minutes on two cores)."""
    from facelab.reports import run_quickstart
    from facelab.reports.page import COLUMNS, table_rows

    outcome = run_quickstart(out, seed=seed, device=device, fresh=fresh, show_progress=True, tell=console.print)
    console.print(f"\nMTCNN: {outcome.chips}.")
    table = Table(title="Closed set: 30 identities. Verification: 10 identities never seen in training.")
    table.add_column("model")
    for column in COLUMNS.values():
        table.add_column(column, justify="right")
    for row in table_rows(outcome.estimates):
        table.add_row(*(cell.replace(" [", "\n[") for cell in row), end_section=True)
    console.print(table)
    console.print(
        "[dim]Below each value: its 95 % interval. One seed on a small, easy data set; the course compares fairly."
    )
    say(f"Report: {outcome.folder / 'report.html'} ({outcome.seconds:.0f} s)")
