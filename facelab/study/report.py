"""From finished runs to results, tables and figures, and from there into the package."""

import hashlib
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from facelab.errors import FacelabError
from facelab.files import atomic_write
from facelab.study.experiment import Experiment
from facelab.study.folder import StudyFolder, differences
from facelab.study.plan import Plan, plans
from facelab.study.results import STORE, Provenance, Results


def make_report(folder: StudyFolder) -> Results:
    """Make results from the runs of a plan: ``results.json``, ``tables/*.csv`` and ``figures/*.png`` in their folder.

    Raises:
        FacelabError: a run is not done.
    """
    plan, states = folder.plan, folder.states()
    if missing := [name for name, state in states.items() if state.name != "done"]:
        raise FacelabError(
            f"{folder.path}: {len(missing)} of {len(states)} runs are not done (the run {missing[0]} is "
            f"{states[missing[0]].name}); go on with facelab study run, the same plan and folder."
        )
    records = [state.done for state in states.values()]
    values = plan.settings.values({name: folder.outcome(name) for name in states})

    def all_of(field: str) -> str:
        return ", ".join(dict.fromkeys(getattr(record, field) for record in records))

    provenance = Provenance(
        command=f"facelab study run {plan.name if plan.name in plans() else f'{plan.name}.toml'}",
        date=max(record.date for record in records),
        device=all_of("device"),
        facelab=all_of("facelab"),
        torch=all_of("torch"),
        runs=len(records),
        seconds=round(sum(record.seconds for record in records), 1),
    )
    results = Results(plan=plan.as_dict(), values=values, provenance=provenance)
    results.save(folder.path / "results.json")
    draw(plan.settings, results, folder.path)
    return results


def draw(experiment: Experiment, results: Results, out: Path | str) -> None:
    """Write the tables and figures of results to a folder."""
    for name, table in experiment.tables(results.values).items():
        with atomic_write(Path(out) / "tables" / f"{name}.csv") as temporary:
            table.to_csv(temporary)
    for name, figure in experiment.figures(results.values).items():
        with atomic_write(Path(out) / "figures" / f"{name}.png") as temporary:
            figure.savefig(temporary)


def publish_results(folder: StudyFolder, store: Path | str | None = None) -> list[str]:
    """Report, and copy the results to where the book reads them; return a line for each value that changed.

    Args:
        folder: of the runs.
        store: the folder of published results; by default the package's, and then the experiment also writes its values
            where else the package quotes them.

    Raises:
        FacelabError: a run is not done, or the plan has the name of one that comes with facelab, with other settings.
    """
    plan = folder.plan
    if plan.name in plans():
        for field, here, there in differences(plan.as_dict(), Plan.load(plan.name).as_dict()):
            raise FacelabError(
                f"the plan {plan.name} that comes with facelab has {field} = {there}, yours {here}: "
                "give yours another name, or change that one first."
            )
    results, path = make_report(folder), Path(store or STORE) / f"{plan.name}.json"
    old = Results.load(path).values if path.is_file() else {}
    if arrays := plan.settings.arrays(folder.outcome):
        with atomic_write(path.with_suffix(".npz")) as temporary:
            np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
            digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
        results = results.model_copy(update={"arrays": digest})
    results.save(path)  # last: it names the file of arrays
    if store is None:
        plan.settings.publish(results.values, folder.outcome)
    return [f"{field}: {_short(before)} → {_short(now)}" for field, before, now in differences(old, results.values)]


def _short(value: Any) -> str:
    return textwrap.shorten(str(value), 60, placeholder=" …")
