//! These need the interpreter: `cargo xtask guests --python`, then `cargo test -- --ignored`.

use std::sync::LazyLock;

use super::*;
use crate::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    // target/debug/deps/<test> → target/debug/luthier-python.wasm
    let exe = std::env::current_exe().unwrap();
    let path = exe.ancestors().nth(2).unwrap().join("luthier-python.wasm");
    assert!(path.exists(), "{} is missing: cargo xtask guests --python", path.display());
    Runtime::new(Some(exe.ancestors().nth(2).unwrap().join("plugin-test-cache")), Some(path)).unwrap()
});

fn run(program: &str, tests: &str) -> Outcome {
    let budget = Budget { fuel: 20_000_000_000, memory_bytes: 256 << 20, output_bytes: 1_000 };
    RUNTIME.python().unwrap().as_ref().unwrap().run(&Limits::default(), program, tests, budget, None)
}

fn status(program: &str, tests: &str) -> Status {
    run(program, tests).status
}

const CHECK: &str =
    "def check(f):\n    assert f(2) == 4\n    assert f(-3) == 9\n    assert f([1]) is None or True\ncheck(square)\n";

#[test]
#[ignore = "needs luthier-python.wasm"]
fn right_programs_pass_and_wrong_ones_fail() {
    let right = "def square(x):\n    return x * x if isinstance(x, int) else None\n";
    let outcome = run(right, CHECK);
    assert_eq!((outcome.status, outcome.detail.as_str()), (Status::Passed, ""));
    let outcome = run("def square(x):\n    return x + x\n", CHECK);
    assert_eq!(outcome.status, Status::Failed);
    assert!(outcome.detail.starts_with("AssertionError"), "{}", outcome.detail);
    assert_eq!(status("def square(x) return x", CHECK), Status::SyntaxError);
    assert_eq!(status("import nonsense", CHECK), Status::Failed);
    // MBPP's form, and values of many types.
    let program = "import collections\ndef f(x):\n    return {'a': (x, {1, 2}, 1.5, b'z', None), 'd': collections.Counter('aab')}\n";
    assert_eq!(
        status(program, "assert f(1) == {'a': (1, {2, 1}, 1.5, b'z', None), 'd': {'a': 2, 'b': 1}}"),
        Status::Passed
    );
    // What a call does to its arguments is seen.
    assert_eq!(
        status("def f(x):\n    x.append(3)\n    x.sort()\n", "a = [9, 1]\nf(a)\nassert a == [1, 3, 9]"),
        Status::Passed
    );
    // An expected error.
    let tests = "try:\n    f(0)\n    assert False\nexcept ZeroDivisionError:\n    pass\n";
    assert_eq!(status("def f(x):\n    return 1 / x\n", tests), Status::Passed);
}

/// The cheats that pass the field's harnesses: every one fails here.
#[test]
#[ignore = "needs luthier-python.wasm"]
fn cheats_fail() {
    for (name, program) in [
        (
            "an object that equals everything",
            "class A:\n    def __eq__(self, other): return True\n    def __bool__(self): return True\ndef square(x): return A()\n",
        ),
        (
            "an int that equals everything",
            "class A(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\ndef square(x): return A(7)\n",
        ),
        (
            "a walk up the stack",
            "import sys\ndef square(x):\n    f = sys._getframe()\n    while f:\n        for v in list(f.f_locals.values()):\n            if isinstance(v, list): v.append('passed')\n        f = f.f_back\n",
        ),
        ("an early exit", "import sys\ndef square(x): sys.exit(0)\n"),
        ("an early exit at the top", "raise SystemExit(0)\n"),
        ("a patched check", "import builtins\nbuiltins.check = lambda f: None\ndef square(x): return 0\n"),
        (
            "a patched AssertionError",
            "import builtins\nclass E(Exception): pass\nbuiltins.AssertionError = E\nbuiltins.isinstance = lambda *a: True\ndef square(x): return 0\n",
        ),
        (
            "patched collaborators",
            "import json, gc, wit_world\njson.dumps = lambda v: '{\"value\": [\"b\", true]}'\ndef square(x): return 0\n",
        ),
        ("garbage as an answer", "import json\njson.dumps = lambda v: 'garbage'\ndef square(x): return 0\n"),
    ] {
        let outcome = run(program, CHECK);
        assert_ne!(outcome.status, Status::Passed, "{name}: {}", outcome.detail);
    }
}

#[test]
#[ignore = "needs luthier-python.wasm"]
fn what_a_sandbox_has_not_is_refused_and_what_is_too_much_ends() {
    for (program, expected) in [
        ("open('/etc/passwd')", Status::Denied),
        ("import os\nos.listdir('/')", Status::Denied),
        ("import os\nos._exit(0)", Status::Denied),
        ("import time\ntime.sleep(1)", Status::Denied),
        ("input()", Status::Denied),
        ("import socket", Status::Failed),
        ("import subprocess", Status::Failed),
        ("while True: pass", Status::OutOfFuel),
        ("import re\nre.match('(a+)+$', 'a' * 64 + 'b')", Status::OutOfFuel),
        ("x = [0] * (1 << 28)", Status::OutOfMemory),
        ("x = []\nwhile True: x.append(bytearray(1 << 20))", Status::OutOfMemory),
        ("def f(): f()\nf()", Status::StackOverflow),
    ] {
        let outcome = run(program, "");
        assert_eq!(outcome.status, expected, "{program}: {}", outcome.detail);
    }
    assert_eq!(status("print('hi')", ""), Status::Passed);
}

#[test]
#[ignore = "needs luthier-python.wasm"]
fn equal_programs_take_equal_fuel_and_share_nothing() {
    let program = "import random\nseen = globals().get('seen', 0) + 1\ndef f(): return (seen, random.random(), hash('abc'), id(f) > 0)\n";
    let first = run(program, "assert f()[0] == 1\nprint(f())");
    let second = run(program, "assert f()[0] == 1\nprint(f())");
    assert_eq!(first.status, Status::Passed, "{}", first.detail);
    assert_eq!((first.fuel_used, first.detail), (second.fuel_used, second.detail));
}

mod sets;

/// An interpreter is a component without imports: what a program could reach through one is not there.
#[test]
fn an_interpreter_that_imports_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("python.wasm");
    let component = wat::parse_str("(component (import \"luthier:plugin/exec@0.1.0\" (instance)))").unwrap();
    luthier_data::atomic::write(&path, &component).unwrap();
    let runtime = Runtime::new(None, None).unwrap();
    let error = Python::load(&runtime.engine, &path, None).err().unwrap();
    assert!(error.ends_with("asks for luthier:plugin/exec@0.1.0; expected no imports"), "{error}");
}
