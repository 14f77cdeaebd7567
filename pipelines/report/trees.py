"""Evolution trees: how instructions were made harder and rarer, round by round, and which attempts failed."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from tuneworks.filters.words import fact, instruction
from tuneworks.pipelines.report.contents import Contents
from tuneworks.pipelines.report.html import Html, counted, el, joined, note, section
from tuneworks.pipelines.report.passages import command
from tuneworks.pipelines.stages import RECORDS, REJECTED

SHOWN = 6
"""Trees that are drawn: those with the most generations, of these the largest."""

LONGEST = 420

NODES = pl.Schema(
    {
        **dict.fromkeys(("id", "parent", "operator"), pl.String()),
        "round": pl.Int64(),
        **dict.fromkeys(("part", "stage", "reason"), pl.String()),
    }
)


@dataclass(frozen=True, slots=True)
class Node:
    id: str
    operator: str
    round: int
    text: str
    part: str | None
    """What went, or None where it is left: a reply of which no record came, or the record."""
    stage: str | None
    reason: str | None

    @property
    def how(self) -> str:
        return "failed" if self.part == "reply" else "rejected"


def trees(run: Contents) -> Html:
    title = "Evolution trees"
    nodes = evolved(run)
    if nodes.is_empty():
        return section("trees", title, note("No step of this run evolves instructions; evol_instruct does."))
    placed = rooted(nodes)
    roots = placed.group_by("root").agg(levels=pl.col("level").max(), size=pl.len())
    best = roots.sort("levels", "size", "root", descending=[True, True, False]).head(SHOWN)["root"].to_list()
    shown = placed.filter(pl.col("root").is_in(best))
    texts = _texts(run, [*best, *shown["id"]])
    drawn = [_tree(root, texts, shown.filter(pl.col("root") == root)) for root in best]
    stayed = nodes.filter(pl.col("reason").is_null()).height
    told = note(
        f"{counted(nodes.height, 'evolution')} of {counted(roots.height, 'instruction')}; {stayed:,} are left at the "
        f"end. Here are the {counted(len(drawn), 'tree')} with the most generations. All about one that went: ",
        command(run.name, "ID"),
    )
    return section("trees", title, told, el("div", *drawn, class_="trees"))


def evolved(run: Contents) -> pl.DataFrame:
    """Every record and reply that an operator made in a round out of one record."""
    frames = [_nodes(pl.scan_parquet(file)).with_columns(part=None, stage=None, reason=None) for file in run.kept]
    for file in run.rejected:
        rows = pl.scan_parquet(file).filter(pl.col("part") != "answer")
        frames.append(_nodes(rows, "part", "stage", "reason"))
    wanted = [frame.select(list(NODES)).cast(NODES).collect() for frame in frames]
    whole = pl.concat([NODES.to_frame(), *wanted])
    return whole.unique(["id", "operator", "round"], keep="first", maintain_order=True)


def _nodes(rows: pl.LazyFrame, *more: str) -> pl.LazyFrame:
    of_one = (pl.col("parents").list.len() == 1) & fact("operator").is_not_null() & fact("round").is_not_null()
    return rows.filter(of_one).select(
        "id",
        *more,
        parent=pl.col("parents").list.first(),
        operator=fact("operator"),
        round=fact("round").cast(pl.Int64, strict=False),
    )


def rooted(nodes: pl.DataFrame) -> pl.DataFrame:
    """The nodes with the `root` they come from, and their `level` under it."""
    parents = nodes.select("id", above="parent").unique("id", keep="first", maintain_order=True)
    placed = nodes.with_columns(root="parent", level=pl.lit(1))
    for _ in range(nodes["round"].n_unique()):  # a generation takes a round at least
        higher = placed.join(parents, left_on="root", right_on="id", how="left", maintain_order="left")
        if higher["above"].null_count() == higher.height:
            break
        up = pl.col("above").is_not_null()
        higher = higher.with_columns(root=pl.coalesce("above", "root"), level=pl.col("level") + up.cast(pl.Int32))
        placed = higher.drop("above")
    return placed


def _texts(run: Contents, ids: list[str]) -> dict[str, str]:
    """The instructions of these records and replies, cut: where evolution began, a record need not be left."""
    wanted = pl.Series(ids, dtype=pl.String).implode()
    unread = (pl.col("part") == "reply") & fact("instruction").is_null()  # its prompt is what the model was asked
    reply = pl.when(unread).then(pl.col("answers").list.first().struct.field("text")).otherwise(instruction())
    found: dict[str, str] = {}
    for step in run.steps:
        for name, text in ((RECORDS, instruction()), (REJECTED, reply)):
            rows = pl.scan_parquet(step.folder / name).filter(pl.col("id").is_in(wanted))
            for record_id, said in rows.select("id", text.fill_null("").str.head(LONGEST)).collect().iter_rows():
                found.setdefault(record_id, said)
    return found


def _tree(root: str, texts: Mapping[str, str], nodes: pl.DataFrame) -> Html:
    below: dict[str, list[Node]] = {}
    for row in nodes.drop("root", "level").sort("round", maintain_order=True).iter_rows(named=True):
        below.setdefault(row.pop("parent"), []).append(Node(text=texts.get(row["id"], ""), **row))
    began = texts.get(root, f"a record that the run no longer holds ({root})")
    start = el("p", el("b", "Began as "), began, class_="start")
    return el("article", start, _branches(root, below), class_="tree")


def _branches(parent: str, below: dict[str, list[Node]]) -> Html | None:
    nodes = below.pop(parent, [])  # popped: no branch is drawn twice
    lines = [el("li", _node(node), _branches(node.id, below)) for node in nodes]
    return el("ul", *lines) if lines else None


def _node(node: Node) -> Html:
    by = el("span", f"round {node.round}, {node.operator}", class_="operator")
    if node.reason is None:
        return el("div", by, " ", node.text, class_="node kept")
    why = el("span", joined(el("b", f"{node.how} at {node.stage}: "), node.reason), class_="why")
    return el("div", by, " ", node.text, why, el("code", node.id, class_="foot"), class_="node gone")
