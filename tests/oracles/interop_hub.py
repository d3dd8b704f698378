"""Python's huggingface_hub and luthier on the same hub and the same cache.

usage: interop_hub.py WORK_DIRECTORY
environment: LUTHIER, LUTHIER_HUB_SERVER (binaries), LUTHIER_PICO (directory of the built-in model)

1. The tests' hub server is one that huggingface_hub can read: snapshot_download gives the same bytes.
2. What Python has downloaded, luthier loads without the network; and the other way round.
3. What luthier pushes, Python downloads.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

PICO = pathlib.Path(os.environ["LUTHIER_PICO"])
NEEDED = ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "model.safetensors"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def luthier(*arguments, cwd, expect=0, **variables):
    done = subprocess.run(
        [os.environ["LUTHIER"], *arguments], cwd=cwd, capture_output=True, text=True, env={**os.environ, **variables}
    )
    if done.returncode != expect:
        sys.exit(f"luthier {' '.join(arguments)} ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def same(one, other):
    for name in NEEDED:
        if (pathlib.Path(one) / name).read_bytes() != (pathlib.Path(other) / name).read_bytes():
            sys.exit(f"{name} differs between {one} and {other}")


def main(work):
    work = pathlib.Path(work).resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    port = free_port()
    server = subprocess.Popen(
        [os.environ["LUTHIER_HUB_SERVER"], str(port), f"models/org/pico={PICO}"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    server.stderr.readline()
    os.environ.update(HF_ENDPOINT=f"http://127.0.0.1:{port}", HF_HUB_DISABLE_XET="1", HF_HUB_OFFLINE="0")
    os.environ.pop("HF_TOKEN", None)
    import huggingface_hub

    # An engine takes its environment when it starts: one for each cache.
    def engine(name, **variables):
        runtime = tempfile.mkdtemp(prefix="luthier-")
        (work / name).mkdir()
        return dict(cwd=work / name, LUTHIER_RUNTIME_DIR=runtime, LUTHIER_IDLE_S="5", **variables)

    by_python = work / "python-cache"
    snapshot = huggingface_hub.snapshot_download("org/pico", cache_dir=by_python)
    same(snapshot, PICO)
    luthier("load", "org/pico", **engine("offline", HF_HUB_CACHE=str(by_python), HF_HUB_OFFLINE="1"))

    by_us = work / "our-cache"
    luthier("load", "org/pico", **engine("online", HF_HUB_CACHE=str(by_us)))
    found = huggingface_hub.snapshot_download(
        "org/pico", cache_dir=by_us, local_files_only=True, allow_patterns=NEEDED
    )
    same(found, PICO)
    for name in NEEDED:
        if huggingface_hub.try_to_load_from_cache("org/pico", name, cache_dir=by_us) is None:
            sys.exit(f"Python does not find {name} in the cache that luthier filled")

    luthier("push", str(PICO), "to", "me/copy", **engine("push", HF_HUB_CACHE=str(by_us), HF_TOKEN="hf_test"))
    same(huggingface_hub.snapshot_download("me/copy", cache_dir=work / "third"), PICO)
    api = huggingface_hub.HfApi(token="hf_test")
    api.create_repo("me/python")
    api.upload_folder(repo_id="me/python", folder_path=PICO)
    luthier("load", "me/python", **engine("uploaded", HF_HUB_CACHE=str(work / "fourth")))
    server.stdin.close()
    print("   hub: Python's client and luthier read each other's caches and uploads")


if __name__ == "__main__":
    main(sys.argv[1])
