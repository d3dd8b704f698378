"""Execute a notebook with nbclient, as a person's Jupyter would, and save it with its outputs.

usage: run_notebook.py SOURCE TARGET WORKING_DIRECTORY KERNEL

Prints each cell's seconds, so that a slow cell is seen. Exits 1 at the first failing cell, with
the cell and its error; what was executed until then is saved all the same.
"""

import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def main(source: str, target: str, cwd: str, kernel: str) -> int:
    notebook = nbformat.read(source, as_version=4)
    started: dict[int, float] = {}

    def on_start(cell, cell_index, **_):
        started[cell_index] = time.monotonic()

    def on_done(cell, cell_index, **_):
        if cell.cell_type == "code":
            seconds = time.monotonic() - started.get(cell_index, time.monotonic())
            first = cell.source.strip().splitlines()[0] if cell.source.strip() else ""
            print(f"   [{cell_index:2}] {seconds:7.1f} s  {first}", flush=True)

    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name=kernel,
        resources={"metadata": {"path": cwd}},
        record_timing=False,
        on_cell_start=on_start,
        on_cell_executed=on_done,
    )
    try:
        client.execute()
    except CellExecutionError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        nbformat.write(notebook, target)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
