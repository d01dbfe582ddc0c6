"""``facelab study``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from facelab.cli.program import Device, console, say
from facelab.errors import count

if TYPE_CHECKING:
    from facelab.study.folder import StudyFolder

study = typer.Typer(help="Experiments: a plan, its runs, results with intervals.", no_args_is_help=True)

PlanName = Annotated[str, typer.Argument(metavar="NAME|PLAN", help="One of facelab study list, or a TOML file.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the runs; by default runs/study/ and the plan's name.")]
Data = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="Where the set lies that the plan is about (celeba500), if it is yours."),
]
Jobs = Annotated[int, typer.Option(min=1, help="Runs beside each other, each in a process.")]


@study.command("list")
def list_plans() -> None:
    """List the plans that come with facelab, and what is published of them."""
    from facelab.strict import read_toml
    from facelab.study.plan import PLANS, plans
    from facelab.study.results import Results, published

    table = Table("plan", "title", "published")
    for name in plans():
        found = Results.load(name).provenance if name in published() else None
        title = read_toml(PLANS / f"{name}.toml", "")["title"]
        table.add_row(name, escape(title), escape(f"{found.date[:10]}, {found.device}") if found else "no")
    console.print(table)


@study.command()
def run(
    plan: PlanName,
    data: Data = None,
    out: Out = None,
    jobs: Jobs = 1,
    device: Device = "auto",
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Start no run that would not end in so many minutes.")
    ] = None,
) -> None:
    """Do the runs of a plan; what was finished is kept, and the same command goes on from there."""
    from facelab.study.plan import Plan
    from facelab.study.runner import run_plan

    folder = run_plan(
        Plan.load(plan, data), out, jobs=jobs, device=device, minutes=minutes, tell=say, show_progress=jobs == 1
    )
    if _show_state(folder, jobs):
        raise typer.Exit(1)


@study.command()
def status(plan: PlanName, data: Data = None, out: Out = None, jobs: Jobs = 1) -> None:
    """Say what is done, what failed, and how long the rest takes."""
    from facelab.study.folder import StudyFolder
    from facelab.study.plan import Plan

    _show_state(StudyFolder(Plan.load(plan, data), out), jobs)


@study.command()
def bundle(
    plan: PlanName,
    out: Annotated[Path, typer.Option(help="Folder for run.sh, plan.toml and the parts.")],
    part_mb: Annotated[float, typer.Option(min=1, help="No part is larger, in MB.")] = 60,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render what is not rendered yet.")] = 1,
) -> None:
    """Pack what a machine without a network needs to run a plan: source, plan, rendered faces."""
    from facelab.study.bundle import bundle as pack

    script, *files = pack(plan, out, part_mb=part_mb, workers=workers, show_progress=True)
    for path in files:
        say(f"{path} {path.stat().st_size / 1e6:.1f} MB")
    say(f"There: bash {script.name} --device cuda --jobs 4. Here again: facelab study publish {plan} --out runs")


@study.command()
def report(plan: PlanName, data: Data = None, out: Out = None) -> None:
    """Make results, tables and figures from the runs, in their folder."""
    from facelab.study.folder import StudyFolder
    from facelab.study.plan import Plan
    from facelab.study.report import make_report

    folder = StudyFolder(Plan.load(plan, data), out)
    results = make_report(folder)
    for name, table in folder.plan.settings.tables(results.values).items():
        say(f"{name}\n{table.to_string()}\n")
    say(f"Written to {folder.path}: results.json, tables, figures")


@study.command()
def publish(
    plan: PlanName,
    data: Data = None,
    out: Out = None,
    to: Annotated[Path | None, typer.Option(help="Folder of published results; by default the package's.")] = None,
) -> None:
    """Report, and copy the results into the package, where the book reads them."""
    from facelab.study.folder import StudyFolder
    from facelab.study.plan import Plan
    from facelab.study.report import publish_results

    changes = publish_results(StudyFolder(Plan.load(plan, data), out), to)
    for change in changes[:20]:
        say(change)
    say(f"{count(len(changes), 'value')} changed." if changes else "Nothing changed.")


def _show_state(folder: "StudyFolder", jobs: int) -> int:
    """Print how it stands; return how many runs failed."""
    from facelab.study.runner import seconds_left

    states = folder.states()
    names = [state.name for state in states.values()]
    for name, state in states.items():
        if state.note:
            say(f"{name} {state.name}: {state.note.splitlines()[-1]}")
    kinds = [kind for kind in ("failed", "damaged", "to do") if kind in names]
    say(", ".join([f"{names.count('done')} of {len(names)} runs done", *(f"{names.count(k)} {k}" for k in kinds)]))
    seconds, untold = seconds_left(folder)
    if seconds:
        say(
            f"About {seconds / jobs / 60:.1f} minutes left"
            + (f", and {untold} runs of unknown length" if untold else "")
        )
    return names.count("failed")
