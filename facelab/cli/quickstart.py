"""``facelab quickstart``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
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

    outcome = run_quickstart(out, seed=seed, device=device, fresh=fresh, show_progress=True, tell=console.print)
    console.print(f"\nMTCNN: {outcome.chips}.")
    console.print(results_table(outcome.estimates))
    console.print(
        "[dim]Below each value: its 95 % interval. One seed on a small, easy data set; the course compares fairly."
    )
    say(f"Report: {outcome.folder / 'report.html'} ({outcome.seconds:.0f} s)")


def results_table(estimates: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return the table that the terminal shows: narrow enough for intervals to stand on one line of 80 columns."""
    from facelab.reports.page import COLUMNS, table_rows

    title = "Closed set: 30 identities. Verification: 10 identities never seen in training."
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0)
    table.add_column("model")
    for column in COLUMNS.values():
        table.add_column(column, justify="right")
    for row in table_rows(estimates):
        table.add_row(*(cell.replace(" [", "\n[") for cell in row), end_section=True)
    return table
