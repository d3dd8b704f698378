"""Publish the quickstart's predictions and check its accuracies with another SQLite.

usage: summarize.py PROJECT_PREDICTIONS LEADERBOARD_JSON EVALUATION OUT_DIR SECONDS_JSON

Reads the engine's predictions (Parquet) and its scores (JSON of `luthier leaderboard`), writes
`predictions.parquet` and `summary.json` into OUT_DIR, and recomputes every accuracy from the
published rows with Python's own sqlite3. Any difference is an error: a number that cannot be
reproduced from its rows is not published.
"""

import collections
import json
import pathlib
import shutil
import sqlite3
import sys

import pyarrow as pa
import pyarrow.parquet as pq

METRIC = "execution-accuracy"
# Step budget as wall time would make the verdict depend on the machine: count VM steps instead.
PROGRESS_STEPS = 1000
MAX_CALLS = 50_000


def run_query(connection, sql):
    """Rows of a query, or None if it fails. Never writes: the connection is read-only."""
    calls = 0

    def progress():
        nonlocal calls
        calls += 1
        return calls > MAX_CALLS

    connection.set_progress_handler(progress, PROGRESS_STEPS)
    try:
        return connection.execute(sql).fetchall()
    except (sqlite3.Error, sqlite3.Warning):
        return None
    finally:
        connection.set_progress_handler(None, 0)


def key(row):
    """A row as a hashable value; 2 and 2.0 are the same number."""
    return tuple(
        ("number", round(float(value), 9)) if isinstance(value, (int, float)) else ("other", value)
        for value in row
    )


def is_ordered(sql):
    """The outermost query has an ORDER BY."""
    depth, text, i = 0, sql.lower(), 0
    while i < len(text):
        character = text[i]
        if character in "'\"":
            i = text.find(character, i + 1)
            if i < 0:
                break
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif depth == 0 and text.startswith("order by", i):
            return True
        i += 1
    return False


def same(gold_sql, gold, predicted):
    if predicted is None:
        return False
    gold, predicted = [key(row) for row in gold], [key(row) for row in predicted]
    if is_ordered(gold_sql):
        return gold == predicted
    return collections.Counter(gold) == collections.Counter(predicted)


def find_database(name):
    """The file that the engine built for a bundled database, or the user's own file."""
    built = sorted(pathlib.Path(".luthier/databases").glob(f"{name}-*.sqlite"))
    if len(built) > 1:
        sys.exit(f"several databases are called {name}: {built}")
    return built[0] if built else pathlib.Path(name)


def main(predictions, leaderboard, evaluation, out_dir, seconds):
    out = pathlib.Path(out_dir)
    table = pq.read_table(predictions).to_pylist()
    databases = {}
    rows = []
    for row in table:
        name = row["database"]
        if name not in databases:
            target = (out / f"{pathlib.Path(name).stem}.sqlite").resolve()
            shutil.copyfile(find_database(name), target)
            databases[name] = target
        rows.append(
            {
                "part": row["part"],
                "arm": row["arm"],
                "question": row["prompt"],
                "gold_sql": row["reference"],
                "predicted_sql": row["prediction"] or "",
                "database": str(databases[name]),
                "correct": row[METRIC] == 1.0,
            }
        )
    pq.write_table(pa.Table.from_pylist(rows), out / "predictions.parquet")

    counts = collections.defaultdict(lambda: [0, 0])
    connections = {}
    for row in rows:
        path = row["database"]
        if path not in connections:
            connections[path] = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        connection = connections[path]
        gold = run_query(connection, row["gold_sql"])
        if gold is None:
            sys.exit(f"the gold SQL does not run: {row['gold_sql']}")
        correct = same(row["gold_sql"], gold, run_query(connection, row["predicted_sql"]))
        if correct != row["correct"]:
            sys.exit(f"Python's sqlite3 disagrees on {row}")
        count = counts[(row["part"], row["arm"])]
        count[0] += correct
        count[1] += 1

    scores = [
        row
        for row in json.loads(pathlib.Path(leaderboard).read_text())["rows"]
        if row["evaluation"] == evaluation and row["metric"] == METRIC
    ]
    summary = summarize(scores, counts, json.loads(seconds))
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    show(summary)
    check(summary)


def check(summary):
    """What the quickstart promises. The numbers are written and shown before this can fail."""
    for name in ("i", "ii"):
        part = summary["parts"][name]
        for arm in ("base", "fewshot"):
            if part["adapted_interval"][0] <= part[f"{arm}_interval"][1]:
                sys.exit(f"part ({name}): the adapted model is not clearly better than `{arm}`: {part}")
    if summary["adapted_accuracy"] < 0.8 or summary["base_accuracy"] > summary["adapted_accuracy"] / 2:
        sys.exit("part (i): at least 80 % adapted, and at most half of it before, are promised")


def summarize(scores, counts, seconds):
    parts = collections.defaultdict(dict)
    for row in scores:
        right, n = counts[(row["part"], row["model"])]
        if n != row["n"] or abs(right / n - row["mean"]) > 1e-12:
            sys.exit(f"{row['model']} on {row['part']}: scored {row['mean']} of {row['n']}, recomputed {right} of {n}")
        parts[row["part"]][row["model"]] = row
    names = {"seen-skeleton": "i", "unseen-skeleton": "ii", "hand-written": "iii"}
    by_part = {}
    for part, arms in parts.items():
        entry = {"part": part}
        for arm, row in arms.items():
            prefix = arm_name(arm)
            entry["n"] = row["n"]
            entry[f"{prefix}_accuracy"] = row["mean"]
            entry[f"{prefix}_interval"] = [row["low"], row["high"]]
        by_part[names.get(part, part)] = entry
    first = {name: value for name, value in by_part["i"].items() if name != "part"}
    return {**first, "parts": by_part, "seconds": seconds}


def arm_name(arm):
    if arm == "pico":
        return "base"
    return "fewshot" if "shot" in arm else "adapted"


def show(summary):
    print()
    print(f"{'':34} {'pico':>22} {'pico, four examples':>22} {'adapted':>22} {'n':>5}")
    labels = {
        "i": "(i) new questions, known skeletons",
        "ii": "(ii) skeletons never trained on",
        "iii": "(iii) written by hand",
    }
    for name, part in summary["parts"].items():
        cells = []
        for arm in ("base", "fewshot", "adapted"):
            low, high = part[f"{arm}_interval"]
            cells.append(f"{part[f'{arm}_accuracy']:.1%} [{low:.1%}, {high:.1%}]")
        print(f"{labels.get(name, name):34} " + " ".join(f"{cell:>22}" for cell in cells) + f" {part['n']:>5}")
    seconds = summary["seconds"]
    print()
    print("seconds: " + ", ".join(f"{name} {value:.0f}" for name, value in seconds.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
