"""Strangers' plugins, and a real registry.

usage: interop_plugins.py WORK_DIRECTORY
environment: LUTHIER (binary), LUTHIER_WIT (directory with plugin.wit), COMPONENTIZE_PY, DOCKER_REGISTRY (binaries)

1. In C, Rust and Python a metric is written against wit/plugin.wit alone: no SDK, no header, none of this repository's crates. C and
   Rust make core modules with nothing but the compiler and its linker; luthier makes them components. All three install, keep
   their golden scores and give equal tables.
2. Debian's docker-registry serves one of them: it installs by tag and by digest; bytes that are not those of the manifest do not.
"""

import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

LUTHIER = os.environ["LUTHIER"]
WIT = pathlib.Path(os.environ["LUTHIER_WIT"])
ROWS = [("a b", "a b"), ("a", "a b"), ("", ""), ("ä ö", "x y"), ("one two three", "one")]
EXPECTED = [1.0, 0.5, 1.0, 1.0, 0.0]


def run(*command, cwd, expect=0, **variables):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, env={**os.environ, **variables})
    if (done.returncode == 0) != (expect == 0):
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


DESCRIPTION = {
    "version": "1.0.0",
    "summary": "1 minus the difference of the numbers of words, at least 0, halved per word",
    "direction": "higher",
    "lower": 0,
    "upper": 1,
}


def describe(name):
    return json.dumps({"id": name, **DESCRIPTION})


# One row: 1 / 2^difference, but 0 from a difference of two words on.
C = r"""
typedef __UINT32_TYPE__ u32;
extern unsigned char __heap_base;
static u32 heap;
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
    if (!heap) heap = (u32)&__heap_base;
    u32 start = (heap + align - 1) & ~(align - 1), end = start + size;
    u32 have = __builtin_wasm_memory_size(0) * 65536u;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535u) / 65536u) == (__SIZE_TYPE__)-1) __builtin_trap();
    for (u32 i = 0; i < old_size && i < size; i++) ((char *)start)[i] = ((char *)old)[i];
    heap = end;
    return (void *)start;
}
static const char text[] = DESCRIPTION;
static struct { const char *at; u32 length; } described;
__attribute__((export_name("describe"))) void *describe(void) {
    described.at = text;
    described.length = sizeof text - 1;
    return &described;
}
static u32 words(const char *at, u32 length) {
    u32 n = 0;
    for (u32 i = 0; i < length; i++) n += at[i] != ' ' && (i == 0 || at[i - 1] == ' ');
    return n;
}
/* result<f64, error>: a byte that says which, then the value at its alignment. */
static struct { unsigned char is_error; double value; } scored;
__attribute__((export_name("score-row"))) void *score(const char *p, u32 np, const char *r, u32 nr, const char *c, u32 nc) {
    (void)c; (void)nc;
    u32 a = words(p, np), b = words(r, nr), d = a > b ? a - b : b - a;
    scored.is_error = 0;
    scored.value = d == 0 ? 1.0 : d == 1 ? 0.5 : 0.0;
    heap = 0;
    return &scored;
}
"""

RUST = r"""
wit_bindgen::generate!({ path: "wit", world: "row-metric" });
struct Stranger;
impl Guest for Stranger {
    fn describe() -> String {
        DESCRIPTION.to_owned()
    }
    fn score_row(prediction: String, reference: String, _config: String) -> Result<f64, luthier::plugin::data::Error> {
        let words = |text: &str| text.split_whitespace().count();
        Ok(match words(&prediction).abs_diff(words(&reference)) {
            0 => 1.0,
            1 => 0.5,
            _ => 0.0,
        })
    }
}
export!(Stranger);
"""

PYTHON = '''
import wit_world


class WitWorld(wit_world.WitWorld):
    def describe(self) -> str:
        return {description!r}

    def score_row(self, prediction: str, reference: str, config: str) -> float:
        difference = abs(len(prediction.split()) - len(reference.split()))
        return 1.0 if difference == 0 else 0.5 if difference == 1 else 0.0
'''


def clang():
    for name in ["clang", *(f"clang-{version}" for version in range(23, 12, -1))]:
        path = shutil.which(name)
        if path and "wasm32" in subprocess.run([path, "--print-targets"], capture_output=True, text=True).stdout:
            return path
    sys.exit("no clang that builds for wasm32: apt-get install clang")


def wasm_ld():
    """The linker of the Rust toolchain, by the name under which it links WebAssembly."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    [path] = pathlib.Path(sysroot).glob("lib/rustlib/*/bin/rust-lld")
    return [path, "-flavor", "wasm"]


def build_c(folder):
    source = C.replace("DESCRIPTION", json.dumps(describe("stranger-c")))
    (folder / "plugin.c").write_text(source)
    run(clang(), "--target=wasm32", "-O2", "-ffreestanding", "-nostdlib", "-c", "plugin.c", "-o", "plugin.o", cwd=folder)
    run(*wasm_ld(), "--no-entry", "plugin.o", "-o", "stranger.wasm", cwd=folder)


def build_rust(folder):
    (folder / "src").mkdir()
    (folder / "src/lib.rs").write_text(RUST.replace("DESCRIPTION", json.dumps(describe("stranger-rust"))))
    shutil.copytree(WIT, folder / "wit", ignore=shutil.ignore_patterns("since-*"))
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "stranger"\nversion = "1.0.0"\nedition = "2021"\n[lib]\ncrate-type = ["cdylib"]\n'
        '[dependencies]\nwit-bindgen = { version = "0.61", default-features = false, features = ["macros", "realloc", "bitflags"] }\n'
        '[profile.release]\nopt-level = "s"\npanic = "abort"\n[workspace]\n'
    )
    build = ["cargo", "build", "--release", "--target", "wasm32-unknown-unknown", "--target-dir", "target"]
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    variables = {"CARGO_TARGET_DIR": str(folder / "target")}
    if not pathlib.Path(sysroot, "lib/rustlib/wasm32-unknown-unknown/lib").is_dir():
        variables["RUSTC_BOOTSTRAP"] = "1"
        build.append("-Zbuild-std=std,panic_abort")
    run(*build, cwd=folder, **variables)
    shutil.copy(folder / "target/wasm32-unknown-unknown/release/stranger.wasm", folder)


def build_python(folder):
    (folder / "plugin.py").write_text(PYTHON.format(description=describe("stranger-python")))
    tool = os.environ["COMPONENTIZE_PY"]
    wit = WIT / "plugin.wit"
    run(tool, "-d", wit, "-w", "row-metric", "componentize", "--stub-wasi", "plugin", "-o", "stranger.wasm", cwd=folder)


def scores(project, name):
    report = json.loads(run(LUTHIER, "plugin", "test", name, "--data", "rows.json", "--json", cwd=project))
    table = next(value["table"] for value in walk(report) if isinstance(value, dict) and value.get("table"))
    return [float(row[table["columns"].index("score")]) for row in table["rows"]]


def walk(value):
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from walk(inner)


def strangers(work, project):
    for language, build in [("c", build_c), ("rust", build_rust), ("python", build_python)]:
        folder = work / language
        folder.mkdir()
        start = time.monotonic()
        build(folder)
        built = folder / "stranger.wasm"
        is_module = built.read_bytes()[4:8] == b"\x01\0\0\0"
        assert is_module == (language != "python"), language
        run(LUTHIER, "plugin", "install", built, cwd=project)
        found = scores(project, f"stranger-{language}")
        assert found == EXPECTED, (language, found)
        kind = "core module" if is_module else "component"
        print(f"{language}: {kind} of {built.stat().st_size} bytes, built in {time.monotonic() - start:.1f} s, scores as expected")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Registry:
    def __init__(self, work):
        self.address = f"127.0.0.1:{free_port()}"
        config = work / "registry.yml"
        config.write_text(
            f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {work / 'registry'}\nhttp:\n  addr: {self.address}\n"
        )
        self.process = subprocess.Popen(
            [os.environ["DOCKER_REGISTRY"], "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                self.send("GET", "/v2/")
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def send(self, method, path, body=None, kind="application/octet-stream"):
        address = path if path.startswith("http") else f"http://{self.address}{path}"
        request = urllib.request.Request(address, data=body, method=method, headers={"Content-Type": kind})
        with urllib.request.urlopen(request) as answer:
            return answer.headers

    def blob(self, repository, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        where = self.send("POST", f"/v2/{repository}/blobs/uploads/", b"")["Location"]
        self.send("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", content)
        return {"digest": digest, "size": len(content)}

    def push(self, repository, tag, component):
        config = {"mediaType": "application/vnd.wasm.config.v0+json", **self.blob(repository, b"{}")}
        layer = {"mediaType": "application/wasm", **self.blob(repository, component)}
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}).encode()
        self.send("PUT", f"/v2/{repository}/manifests/{tag}", manifest, kind)
        return "sha256:" + hashlib.sha256(manifest).hexdigest(), layer["digest"]


def registry(work, project):
    component = (work / "python/stranger.wasm").read_bytes()
    server = Registry(work)
    try:
        manifest, layer = server.push("me/stranger", "1.0", component)
        name = f"oci://{server.address}/me/stranger"
        for source in [f"{name}:1.0", f"{name}@{manifest}"]:
            run(LUTHIER, "plugin", "remove", "stranger-python", cwd=project)
            run(LUTHIER, "plugin", "install", source, cwd=project)
            assert scores(project, "stranger-python") == EXPECTED
            lock = (project / "plugins.lock").read_text()
            assert f"{name}@{manifest}" in lock, lock
            assert hashlib.sha256(component).hexdigest() in lock
        for wrong in [f"{name}:2.0", f"{name}@sha256:{'0' * 64}"]:
            run(LUTHIER, "plugin", "install", wrong, cwd=project, expect=1)
        # Somebody changes what the registry stores.
        stored = work / "registry/docker/registry/v2/blobs/sha256" / layer[7:9] / layer[7:] / "data"
        stored.write_bytes(component[:-1] + b"\x7f")
        said = run(LUTHIER, "plugin", "install", f"{name}:1.0", cwd=project, expect=1)
        assert "digest" in said, said
        print(f"registry: installed by tag and by digest from {manifest[:19]}…, changed bytes are refused")
    finally:
        server.process.terminate()
        server.process.wait()


def main():
    work = pathlib.Path(sys.argv[1]).resolve()
    shutil.rmtree(work, ignore_errors=True)
    project = work / "project"
    project.mkdir(parents=True)
    os.environ["LUTHIER_RUNTIME_DIR"] = f"/tmp/luthier-interop-{os.getpid()}"
    rows = [{"prediction": prediction, "reference": reference} for prediction, reference in ROWS]
    (project / "rows.json").write_text(json.dumps(rows))
    strangers(work, project)
    registry(work, project)


if __name__ == "__main__":
    main()
