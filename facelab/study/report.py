"""From finished runs to results, tables and figures, and from there into the package."""

import hashlib
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from facelab.errors import FacelabError
from facelab.files import atomic_write, claim
from facelab.study.folder import StudyFolder, differences
from facelab.study.plan import Plan, plans
from facelab.study.results import STORE, Provenance, Results, holds_results


def make_report(folder: StudyFolder) -> Results:
    """Make results from the runs of a plan: ``results.json``, ``tables/*.csv`` and ``figures/*.png`` in their folder.

    Raises:
        FacelabError: a run is not done, or a file would be replaced that facelab did not make.
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
        command=f"facelab study run {plan.name if plan.name in plans() else f'{plan.name}.toml'}"
        + (" --data PATH" if plan.settings.takes_data else ""),
        date=max(record.date for record in records),
        device=all_of("device"),
        facelab=all_of("facelab"),
        torch=all_of("torch"),
        runs=len(records),
        seconds=round(sum(record.seconds for record in records), 1),
    )
    results = Results(plan=plan.as_dict(), values=values, provenance=provenance)
    tables, figures = plan.settings.tables(values), plan.settings.figures(values)
    written = [*(f"tables/{name}.csv" for name in tables), *(f"figures/{name}.png" for name in figures)]
    claim(folder.path, ["results.json", *written], known=lambda path: holds_results(folder.path / "results.json"))
    results.save(folder.path / "results.json")
    for name, table in tables.items():
        with atomic_write(folder.path / "tables" / f"{name}.csv") as temporary:
            table.to_csv(temporary)
    for name, figure in figures.items():
        with atomic_write(folder.path / "figures" / f"{name}.png") as temporary:
            figure.savefig(temporary)
    return results


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
    if store is not None:
        claim(store, [path.name, f"{plan.name}.npz"], known=lambda _: holds_results(path))
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
