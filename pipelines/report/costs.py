"""What the run took: time by step, and by model calls, tokens and money, out of the journal."""

from datetime import UTC, datetime

from tuneworks.factory.errors import InputError
from tuneworks.factory.journal.reading import Summary, opened, summary
from tuneworks.pipelines.report.contents import Contents
from tuneworks.pipelines.report.html import Html, counted, el, meter, note, section, table

FAILED_SHOWN = 5


def journal_of(run: Contents) -> Summary | str:
    """What the journal holds, or why it cannot be told."""
    if run.journal is None:
        return "There is no journal in the run's folder, so calls, tokens and money cannot be told."
    try:
        return summary(run.journal)
    except InputError as error:
        return str(error)


def asked_between(run: Contents) -> tuple[datetime, datetime] | None:
    """When this run's first and last reply came."""
    if run.journal is None:
        return None
    try:
        with opened(run.journal) as db:
            first, last = db.execute("SELECT min(at), max(at) FROM calls WHERE run = ?", (run.name,)).fetchone()
    except InputError:
        return None
    return None if first is None else (datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC))


def costs(run: Contents, held: Summary | str) -> Html:
    parts = [_time(run), *([note(held)] if isinstance(held, str) else _models(held))]
    return section("cost", "Cost and time", *parts)


def _time(run: Contents) -> Html:
    total = sum(step.counts.seconds for step in run.steps)
    longest = max((step.counts.seconds for step in run.steps), default=0.0)
    if not longest:
        return note("No step took a second.")
    rows = [
        el(
            "li", el("span", step.title, class_="name"), el("span", span(step.counts.seconds), class_="share"),
            meter((step.counts.seconds / longest, "new")),
        )
        for step in run.steps
        if step.counts.seconds >= 0.001 * total
    ]  # fmt: skip
    quick = len(run.steps) - len(rows)
    rest = note(f"{counted(quick, 'more step')} took next to no time.") if quick else None
    return el("div", el("h3", f"{span(total)} by step"), el("ul", *rows, class_="bars wide"), rest)


def _models(held: Summary) -> list[Html | None]:
    if not held.asked:
        return [note("The journal holds no call.")]
    rows = [
        (one.engine, f"{one.calls:,}", f"{one.prompt_tokens:,}", f"{one.completion_tokens:,}", money(one.usd),
         span(one.seconds), f"{one.failures:,}")
        for one in held.asked
    ]  # fmt: skip
    header = ("model", "calls", "tokens asked", "tokens answered", "USD", "model time", "failures")
    told = note(
        "Model time is how long each call took, summed: calls under way together count each for itself. The journal "
        "notes which model a call went to, not which step made it."
    )
    return [el("h3", "By model"), table(header, rows, "What was asked of each model"), told, _shared(held),
            _failures(held)]  # fmt: skip


def _shared(held: Summary) -> Html | None:
    """Who paid, where several runs share the journal."""
    if len(held.paid) < 2:
        return None
    rows = [(paid.run or "(not noted)", f"{paid.calls:,}", f"{paid.tokens:,}", money(paid.usd)) for paid in held.paid]
    return table(("run", "calls", "tokens", "USD"), rows, "Several runs share this journal: who paid")


def _failures(held: Summary) -> Html | None:
    lines = [el("li", el("b", f"{one.times:,}"), f" {one.error} ({one.engine})") for one in held.failed[:FAILED_SHOWN]]
    lines += [
        el("li", el("b", f"{one.times:,}"), f" made again: {one.error} ({one.engine}), {span(one.seconds)} lost")
        for one in held.retried[:FAILED_SHOWN]
    ]
    return el("div", el("h3", "What could not be answered"), el("ul", *lines), class_="reasons") if lines else None


def money(usd: float) -> str:
    return f"{usd:.4f}" if 0 < usd < 1 else f"{usd:,.2f}"


def span(seconds: float) -> str:
    """As a person says it: 4.5 s, 12 min 5 s, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours:,} h {left} min" if hours else f"{minutes} min {rest} s"
