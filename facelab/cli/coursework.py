"""``facelab coursework``."""

from pathlib import Path
from typing import Annotated

import typer

from facelab.cli.program import LARGEST_SEED, say

coursework = typer.Typer(help="Assignments that grade themselves, and exams.", no_args_is_help=True)

Dist = Annotated[Path, typer.Argument(help="The folder of one assignment that facelab coursework build made.")]
Submissions = Annotated[Path, typer.Argument(help="The folder of the notebooks that students handed in.")]


@coursework.command()
def build(
    source: Annotated[Path, typer.Argument(metavar="SOURCE|FOLDER", help="A source notebook, or a folder of them.")],
    out: Annotated[Path, typer.Option(help="Folder; each assignment gets a folder in it, with student/ and grader/.")],
) -> None:
    """Make what students get of source notebooks: without solutions and hidden checks, with checks of their own."""
    from facelab.coursework.build import build as make
    from facelab.coursework.build import sources
    from facelab.coursework.source import Assignment

    for path in sources(source):
        folder = make(Assignment.load(path), out)
        say(f"{folder / 'student'}: give it to the students; {folder / 'grader'} stays with you")


@coursework.command()
def check(
    source: Annotated[Path, typer.Argument(help="A source notebook; its code is run, so it is one that you trust.")],
    quick: Annotated[bool, typer.Option("--quick", help="Let checks that train do less of it.")] = False,
) -> None:
    """Try a source notebook: its solution gets full marks, the stub none, each variant what it should."""
    from facelab.coursework.source import Assignment
    from facelab.coursework.trial import try_out
    from facelab.errors import FacelabError, count

    assignment, found = Assignment.load(source), 0
    for trial in try_out(assignment, quick=quick):
        question, found = trial.question, found + len(trial.problems)
        how = "marked by a person" if question.manual else count(len(question.variants), "variant")
        say(f"{question.name}: {question.points:g} points, {how}, {count(len(trial.problems), 'problem')}")
        for problem in trial.problems:
            say(f"    {problem}")
    if found:
        raise FacelabError(f"{source}: {count(found, 'problem')}. Mend the checks or the variants.")
    say(f"{assignment.title}: {count(len(assignment.questions), 'question')}, no problem.")


@coursework.command()
def grade(
    dist: Dist,
    submissions: Submissions,
    out: Annotated[
        Path,
        typer.Option(help="Table to be written (CSV); the students' pages and a summary go into a folder beside it."),
    ] = Path("runs/grades.csv"),
    deadline: Annotated[str, typer.Option(help="When it was due, with its time zone: 2027-03-31T23:59+02:00.")] = "",
    late: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of the points lost for each day after it that has begun.")
    ] = 0.0,
    sandbox: Annotated[
        bool,
        typer.Option(help="Without one, the code of students runs with all your rights: files, network, processes."),
    ] = True,
    jobs: Annotated[int, typer.Option(min=1, help="Submissions beside each other, each in a process.")] = 1,
) -> None:
    """Grade submissions. The code of students runs in a sandbox; a stopped run goes on with the same command."""
    from facelab.coursework.grading import grade as grade_all
    from facelab.errors import FacelabError, count

    if late and not deadline:
        raise FacelabError(f"--late {late:g} needs a --deadline.")
    grades = grade_all(
        dist, submissions, out, deadline=deadline, late=late, sandbox=sandbox, jobs=jobs, show_progress=True
    )
    for row in grades.rows:
        points = f"{row.total:6g}" if row.mark else "     -"
        say(
            f"{points}  {row.submission.key}: {row.status}"
            + (f" ({row.mark.reason})" if row.mark and row.mark.reason else "")
        )
    say(f"{count(len(grades.counted), 'submission')} graded. Table: {grades.table}, summary: {grades.summary}")


@coursework.command()
def similar(
    dist: Dist,
    submissions: Submissions,
    out: Annotated[Path, typer.Option(help="Page to be written; a table of all pairs (CSV) is put beside it.")] = Path(
        "runs/similar.html"
    ),
) -> None:
    """Show which submissions resemble each other, and where. It is no verdict: read the lines."""
    from facelab.coursework.similarity import compare, write
    from facelab.coursework.submissions import check_outside
    from facelab.errors import count
    from facelab.files import check_claim, claim

    check_outside(submissions, out)
    names = [out.name, out.with_suffix(".csv").name]
    check_claim(out.parent, names)
    comparison = compare(dist, submissions)
    claim(out.parent, names)
    table = write(comparison, out)
    pairs = [pair for pair in comparison.pairs if not pair.note]
    unread = len(comparison.codes) - len(comparison.readable)
    for pair in pairs[:3]:
        say(f"{100 * pair.similarity:3.0f} %  {pair.first.name} and {pair.second.name}")
    say(f"{count(len(pairs), 'pair')} compared, {count(unread, 'submission')} not. Lines: {out}, all pairs: {table}")


@coursework.command()
def leaderboard(
    dist: Dist,
    submissions: Annotated[Path, typer.Argument(help="The folder with STUDENT/entry.npz or STUDENT.npz.")],
    out: Annotated[Path, typer.Option(help="Page (.html) or table (.csv), without names, to be shown to all.")] = Path(
        "runs/board.html"
    ),
    final: Annotated[
        bool, typer.Option("--final", help="Measure on the private half of the test people too: once, at the end.")
    ] = False,
) -> None:
    """Measure the entries of assignment 6 anew, with intervals; who is who is printed, and not written."""
    from facelab.coursework.leaderboard import find_entries, make_baselines, make_board, sentences, write_board
    from facelab.files import check_claim, claim

    check_claim(out.parent, [out.name])
    entries = find_entries(submissions)
    board = make_board(dist, entries, make_baselines(dist), final=final)
    claim(out.parent, [out.name])
    write_board(board, out)
    for row in board.rows:
        notes = "".join(f"; {note}" for note in row.entry.notes)
        say(f"{row.rank:3d}  {row.entry.student}: {row.entry.name}, TAR {row.tar}, {row.against_baseline}{notes}")
    for entry in board.aside:
        notes = "".join(f" ({note})" for note in entry.notes)
        say(f"  -  {entry.student}: {entry.refused}{notes}")
    for sentence in sentences(board):
        say(sentence, style="dim")
    say(f"Board: {out}")


@coursework.command()
def exam(
    out: Annotated[Path, typer.Option(help="Folder for the sheets and their answers.")],
    questions: Annotated[int, typer.Option(help="How many to draw, spread over the areas.")] = 12,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="The same seed draws the same exam.")] = 0,
    objectives: Annotated[
        str, typer.Option(help="Areas or objectives to draw from, with commas between; all if left out.")
    ] = "",
    minutes: Annotated[
        int | None, typer.Option(min=1, help="Time allowed; the questions take no longer together.")
    ] = None,
    versions: Annotated[int, typer.Option(min=1, max=26, help="Sheets with other orders of questions, choices.")] = 1,
    title: Annotated[str, typer.Option(help="Heading of the sheets.")] = "Face recognition: exam",
    bank: Annotated[Path | None, typer.Option(help="Folder of a question bank of your own (TOML).")] = None,
    pdf: Annotated[bool, typer.Option(help="Also print each sheet, with Chromium.")] = True,
) -> None:
    """Draw an exam from the question bank: sheets and answers, as Markdown and PDF."""
    from facelab.coursework.bank import BANK, draw, load_bank, sheets, write

    wanted = [name.strip() for name in objectives.split(",") if name.strip()]
    drawn = draw(load_bank(bank or BANK), questions, seed=seed, objectives=wanted, minutes=minutes)
    for path in write(sheets(drawn, versions, seed=seed, title=title, minutes=minutes), out, pdf=pdf):
        say(str(path))
