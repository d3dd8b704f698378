"""Reads a run's TensorBoard files with TensorBoard's own loader and compares them with its journal.

    python tests/oracles/event_files.py LOGDIR/RUN PROJECT/.luthier/runs/RUN     # needs tensorboard from PyPI
"""

import json
import pathlib
import sys

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader


def logged(directory):
    """{(tag, step): value} of all files; a later file's session voids what earlier ones say of later steps."""
    values = {}
    for path in sorted(pathlib.Path(directory).glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            if event.HasField("session_log"):
                values = {key: value for key, value in values.items() if key[1] < event.step}
            for value in event.summary.value:
                number = value.tensor.float_val[0] if value.HasField("tensor") else value.simple_value
                values[value.tag, event.step] = number
    return values


def told(run):
    """The same of the run's journal."""
    values = {}
    for line in (pathlib.Path(run) / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "step":
            values["train/loss", event["global_step"]] = event["loss"]
            values["train/learning_rate", event["global_step"]] = event["learning_rate"]
        elif event["event"] == "evaluated":
            values["eval/loss", event["global_step"]] = event["loss"]
    return values


def main():
    found, expected = logged(sys.argv[1]), told(sys.argv[2])
    assert expected, "the journal has no step"
    for key, value in expected.items():
        assert abs(found[key] - value) <= 1e-6 * max(1.0, abs(value)), (key, found.get(key), value)
    print(f"{len(expected)} values of {len(found)} logged ones compared: equal")


if __name__ == "__main__":
    main()
