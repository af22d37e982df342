"""`fusible recommend fit` and `fusible recommend run`: learn what to recommend, and ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import options
from fusible.apps.kept import fit_and_save
from fusible.apps.output import print_json, quiet_stdout, warn
from fusible.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from fusible.tasks.recommend.results import Recommendations, RecommendRow

app = typer.Typer(name="recommend", help="Recommend items to users, and say why.", no_args_is_help=True)


def fit_recommender(ratings: Any, *, output: str | Path | None = None, **given: Any) -> Recommendations:
    """Learn what to recommend; with `output` write the model's folder.

    All other options, and the result, are those of `fusible.tasks.recommend.recommending.fit_recommender`.
    """
    from fusible.tasks.recommend.recommending import fit_recommender as run

    return fit_and_save(run, output, ratings, **given)


@app.command("fit")
def fit(
    ratings: Annotated[
        Path, typer.Argument(metavar="RATINGS", help="A row per interaction: user, item, rating, time.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="Model folder to write.")],
    items: Annotated[
        Path | None, typer.Option("--items", metavar="TABLE", help="What is known of items, a row each.")
    ] = None,
    graph: Annotated[Path | None, typer.Option("--graph", metavar="GRAPH", help="Triples that tell of items.")] = None,
    links: Annotated[
        Path | None, typer.Option("--links", metavar="TABLE", help="Two columns: an item, and its entity in the graph.")
    ] = None,
    users: Annotated[
        Path | None, typer.Option("--users", metavar="TABLE", help="What is known of users, a row each.")
    ] = None,
    user_column: Annotated[str | None, typer.Option("--user-column", metavar="COL", help="Column of users.")] = None,
    item_column: Annotated[str | None, typer.Option("--item-column", metavar="COL", help="Column of items.")] = None,
    rating_column: Annotated[
        str | None, typer.Option("--rating-column", metavar="COL", help="Column of ratings.")
    ] = None,
    time_column: Annotated[str | None, typer.Option("--time-column", metavar="COL", help="Column of times.")] = None,
    item_id: Annotated[
        str | None, typer.Option("--item-id", metavar="COL", help="Column of the table of items that names them.")
    ] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tags", metavar="COL", help="Column of several words per cell; '' for none.")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="COL", help="Column that items are shown by.")] = None,
    column: options.Columns = None,
    encoder: options.Encoders = None,
    least: Annotated[float | None, typer.Option("--least", help="Ratings below do not count.")] = None,
    factors: Annotated[
        bool, typer.Option("--factors/--no-factors", help="Factors by alternating least squares are a part.")
    ] = True,
    cold: Annotated[
        float, typer.Option("--cold", min=0.0, max=0.5, help="Share of items to measure as if nobody had had them.")
    ] = 0.0,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    cache: options.Cache = None,
    json: options.Json = False,
) -> None:
    """Learn what to recommend from ratings and whatever is known of items and users, and measure it."""
    from fusible.apps.progress import RichProgress

    columns = {"user": user_column, "item": item_column, "rating": rating_column, "time": time_column}
    with quiet_stdout():
        result = fit_recommender(
            ratings,
            output=output,
            items=items,
            graph=graph,
            links=links,
            users=users,
            columns=columns,
            item=item_id,
            tags=None if tags is None else [name for name in tags if name],
            label=label,
            item_columns=options.parse_columns(column),
            encoders=options.parse_encoders(encoder),
            least=least,
            factors=factors,
            cold=cold,
            device=device,
            seed=seed,
            cache=cache,
            progress=RichProgress(),
        )
    warn(f"{problem.column}: {problem.message}" for problem in result.problems)
    if json:
        print_json(result.to_json())
        return
    _print_fit(result)
    typer.echo(f"model: {output}")


@app.command("run")
def run(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder written by `fusible recommend fit`.")],
    user: Annotated[str | None, typer.Option("--user", "-u", metavar="USER", help="A user of the ratings.")] = None,
    item: Annotated[
        str | None, typer.Option("--item", "-i", metavar="ITEM", help="Items that go with this one.")
    ] = None,
    wish: Annotated[
        str | None, typer.Option("--wish", "-w", metavar="TEXT", help="What is looked for, in words.")
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option("--history", metavar="FILE", help="Instead of a user: items that were had, one a line."),
    ] = None,
    about: Annotated[
        list[str] | None, typer.Option("--about", metavar="COL=VALUE", help="What is known of a user; repeatable.")
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="How many items.")] = 10,
    where: Annotated[
        str | None, typer.Option("--where", metavar="SQL", help="Condition: year >= 1990 and genre contains Comedy.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option("--allow", metavar="ITEM|@FILE", help="Show these items alone; repeatable.")
    ] = None,
    deny: Annotated[
        list[str] | None, typer.Option("--deny", metavar="ITEM|@FILE", help="Do not show these items; repeatable.")
    ] = None,
    seen: Annotated[bool, typer.Option("--seen", help="Also items that the user had.")] = False,
    diversity: Annotated[
        float, typer.Option("--diversity", min=0.0, max=1.0, help="From 0, the best items, to 1, the most unlike ones.")
    ] = 0.0,
    popularity: Annotated[
        float, typer.Option("--popularity", min=0.0, help="Weight of popularity beside the words of a wish.")
    ] = 0.2,
    json: options.Json = False,
) -> None:
    """Recommend items for a user, a history, an item, what is known of a user, or a wish."""
    from fusible.tasks.recommend.stored import load_recommender

    found = load_recommender(model).recommend(
        user,
        history=None if history is None else _lines(history),
        about=options.parse_about(about),
        item=item,
        wish=wish,
        k=k,
        where=where,
        allow=None if allow is None else _ids(allow),
        deny=_ids(deny or ()),
        seen=seen,
        diversity=diversity,
        popularity=popularity,
    )
    if json:
        print_json({"items": found.to_dict("records")})
        return
    _print_items(found)


def _ids(given: Sequence[str]) -> list[str]:
    """Names of items, those of a file where one is named with @."""
    return [name for one in given for name in (_lines(Path(one[1:])) if one.startswith("@") else [one])]


def _lines(path: Path) -> list[str]:
    """Names of a text file, one a line."""
    try:
        return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a text file of items, one a line; {error}") from None


def _print_fit(result: Recommendations) -> None:
    from rich.console import Console

    console = Console()
    console.print(
        ", ".join(f"{name}: {column}" for name, column in result.columns.items()), highlight=False, markup=False
    )
    console.print(", ".join(f"{count:,} {what}" for what, count in result.sizes.items()), highlight=False)
    _print_rows(result.rows, result.chosen)
    for name, apart in result.differences.items():
        said = f"{apart.mean:+.4f} ({apart.low:+.4f} to {apart.high:+.4f})"
        console.print(f"{result.chosen} above {name}: {said} NDCG@10, 95 % by users", highlight=False)
    if result.cold:
        console.print("\nitems that nobody had, ranked among themselves:", highlight=False)
        _print_rows(result.cold, "")
    console.print("ranked among all items not had; * chosen on validation interactions", highlight=False)


def _print_rows(rows: Sequence[RecommendRow], chosen: str) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    names = list(rows[0].test)
    first = names[0]
    table = Table(
        Column("candidate", no_wrap=True), f"valid {first}", first, "95 %", *names[1:], box=None, pad_edge=False
    )
    for row in rows:
        score, valid = row.test[first], "" if row.valid != row.valid else f"{row.valid:.4f}"
        rest = [f"{row.test[name].score:.4f}" for name in names[1:]]
        name = f"{row.name} *" if row.name == chosen else row.name
        table.add_row(name, valid, f"{score.score:.4f}", f"{score.low:.3f}-{score.high:.3f}", *rest)
    Console().print(table, markup=False)


def _print_items(found: pd.DataFrame) -> None:
    for place, row in enumerate(found.to_dict("records"), 1):
        shown = str(row["name"]) if row["name"] == row["item"] else f"{row['name']} ({row['item']})"
        typer.echo(f"{place:>3}  {row['score']:8.3f}  {shown}")
        for one in row["reasons"]:
            typer.echo(f"               {one['share']:4.0%} {one['text']}")
