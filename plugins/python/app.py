"""The guest side of sandbox.wit: runs inside CPython inside WebAssembly.

Everything imported here is part of the component's pre-initialised memory: a program may import these
modules, and no others exist. They are those that HumanEval, MBPP and their kin use.
"""

import array, ast, bisect, builtins, calendar, cmath, collections, collections.abc, contextlib  # noqa: E401,F401
import copy, copyreg, dataclasses, datetime, decimal, enum, fractions, functools, hashlib, heapq  # noqa: E401,F401
import io, inspect, itertools, json, keyword, math, numbers, operator, queue, random, re  # noqa: E401,F401
import statistics, string, struct, sys, textwrap, time, traceback, types, typing, unicodedata  # noqa: E401,F401
import _strptime, abc, base64, binascii, cmath, difflib, fnmatch, html, os, pprint, reprlib, warnings  # noqa: E401,F401,F811

import wit_world
from wit_world import Called, Ending, Loaded, Report, Tested_Finished, Tested_Wants

RANDOM_STATE = random.getstate()
BUILTIN_ERRORS = {
    name: error for name, error in vars(builtins).items() if isinstance(error, type) and issubclass(error, BaseException)
}
MAX_DEPTH = 64


class Denied(PermissionError):
    """The program wanted what the sandbox does not have."""


def denied(what):
    def refuse(*_args, **_kwargs):
        raise Denied(f"{what} is not available in the sandbox")

    return refuse


def close_doors():
    """What would trap in WebAssembly raises an error that names it instead."""
    builtins.open = io.open = denied("open")
    builtins.input = denied("input")
    builtins.breakpoint = denied("breakpoint")
    for name in ["time", "time_ns", "sleep", "monotonic", "perf_counter", "process_time", "localtime", "gmtime"]:
        setattr(time, name, denied(f"time.{name}"))
    for name in CLOSED_OF_OS:
        if hasattr(os, name):
            setattr(os, name, denied(f"os.{name}"))


CLOSED_OF_OS = """_exit abort access chdir chmod close cpu_count dup dup2 execl execv execve fdopen fork fstat fsync
ftruncate getcwd getcwdb getpid getppid getrandom getuid isatty kill killpg link listdir lseek lstat makedirs mkdir
open pipe popen putenv read readlink remove removedirs rename renames replace rmdir scandir spawnl spawnv stat
symlink system times truncate umask uname unlink urandom utime wait waitpid walk write""".split()


KEPT_FINDERS = ("BuiltinImporter", "FrozenImporter")
CLOSED_EVENTS = ("open", "os.", "socket.", "subprocess.", "shutil.", "tempfile.", "ctypes.", "mmap.", "fcntl.", "signal.")


def refuse_event(event, _args):
    """CPython asks before it opens a file itself: to show the line of a syntax error, for one."""
    if event.startswith(CLOSED_EVENTS):
        raise Denied(f"{event} is not available in the sandbox")


def prepare():
    """Once per instance, before a program is seen; not at build time, whose own tools need these doors."""
    if WitWorld.doors_open:
        WitWorld.doors_open = False
        close_doors()
        # What is not imported by now does not exist: no search for files.
        sys.path.clear()
        sys.path_hooks.clear()
        sys.path_importer_cache.clear()
        sys.meta_path[:] = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") in KEPT_FINDERS]
        sys.addaudithook(refuse_event)


class Output(io.TextIOBase):
    """Standard output, cut to what the host keeps."""

    def __init__(self, limit):
        self.left, self.parts = limit, []

    def writable(self):
        return True

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str")
        kept = text[: self.left]
        self.left -= len(kept)
        if kept:
            self.parts.append(kept)
        return len(text)

    def text(self):
        return "".join(self.parts).encode("utf-8", "replace").decode("utf-8")


# Values cross as JSON with a tag: ["i", "12"], ["l", [...]], … Exact types come back; a subclass comes
# back as the type that it extends, so that nothing of the program's own can sit in a comparison.


def encode(value, depth=0):
    if depth > MAX_DEPTH:
        raise TypeError("a value nested more than 64 levels deep")
    below = depth + 1
    if value is None or value is True or value is False:
        return ["b", value]
    if isinstance(value, int):
        return ["i", hex(int.__index__(value))]
    if isinstance(value, float):
        return ["f", float.hex(value)]
    if isinstance(value, str):
        return ["s", [ord(c) for c in str.__str__(value)] if has_surrogates(value) else str.__str__(value)]
    if isinstance(value, complex):
        return ["c", [float.hex(value.real), float.hex(value.imag)]]
    if isinstance(value, (bytes, bytearray)):
        return ["y" if isinstance(value, bytes) else "Y", bytes(value).hex()]
    if isinstance(value, list):
        return ["l", [encode(item, below) for item in list.__iter__(value)]]
    if isinstance(value, tuple):
        return ["t", [encode(item, below) for item in tuple.__iter__(value)]]
    if isinstance(value, (set, frozenset)):
        kind, base = ("e", set) if isinstance(value, set) else ("E", frozenset)
        return [kind, [encode(item, below) for item in base.__iter__(value)]]
    if isinstance(value, dict):
        return ["d", [[encode(key, below), encode(item, below)] for key, item in dict.items(value)]]
    if isinstance(value, range):
        return ["r", [value.start, value.stop, value.step]]
    if isinstance(value, collections.deque):
        return ["q", [encode(item, below) for item in collections.deque.__iter__(value)]]
    if isinstance(value, decimal.Decimal):
        return ["D", str(value)]
    if isinstance(value, fractions.Fraction):
        return ["F", [hex(value.numerator), hex(value.denominator)]]
    if isinstance(value, datetime.datetime):
        return ["T", value.isoformat()]
    if isinstance(value, datetime.date):
        return ["A", value.isoformat()]
    raise TypeError(f"a value of type {type(value).__name__}, which a test cannot compare")


def has_surrogates(text):
    return any("\ud800" <= c <= "\udfff" for c in text)


def decode(item, depth=0):
    if depth > MAX_DEPTH + 2:
        raise ValueError("nested too deeply")
    kind, value = item
    below = depth + 1
    if kind == "b":
        return None if value is None else bool(value)
    if kind == "i":
        return int(value, 16)
    if kind == "f":
        return float.fromhex(value)
    if kind == "s":
        return value if isinstance(value, str) else "".join(map(chr, value))
    if kind == "c":
        return complex(float.fromhex(value[0]), float.fromhex(value[1]))
    if kind in "yY":
        return bytes.fromhex(value) if kind == "y" else bytearray.fromhex(value)
    if kind in "ltqeE":
        types_ = {"l": list, "t": tuple, "q": collections.deque, "e": set, "E": frozenset}
        return types_[kind](decode(part, below) for part in value)
    if kind == "d":
        return {decode(key, below): decode(part, below) for key, part in value}
    if kind == "r":
        return range(*value)
    if kind == "D":
        return decimal.Decimal(value)
    if kind == "F":
        return fractions.Fraction(int(value[0], 16), int(value[1], 16))
    if kind == "T":
        return datetime.datetime.fromisoformat(value)
    if kind == "A":
        return datetime.date.fromisoformat(value)
    raise ValueError(f"unknown kind {kind!r}")


class NeedAnswer(BaseException):
    """The tests have called a function whose outcome is not known yet."""


def ending_of(error):
    if isinstance(error, Denied):
        return Ending.DENIED
    if isinstance(error, MemoryError):
        return Ending.OUT_OF_MEMORY
    if isinstance(error, RecursionError):
        return Ending.RECURSION
    return Ending.FAILED


def describe(error):
    try:
        text = str(error)
    except BaseException:
        text = "(an error without a message)"
    return f"{type(error).__name__}: {text}"[:2000].encode("utf-8", "replace").decode("utf-8")


def guarded(output, body):
    """Runs `body`; its value, and how it ended."""
    kept = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = output
    try:
        value = body()
        ending, detail = Ending.DONE, ""
    except NeedAnswer:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt are failures, too.
        value, ending, detail = None, ending_of(error), describe(error)
    finally:
        sys.stdout, sys.stderr = kept
    return value, Report(ending, detail, output.text())


def compiled(text, name):
    """The program, or the report that it is none."""
    try:
        return compile(text, name, "exec"), None
    except (SyntaxError, ValueError) as error:
        return None, Report(Ending.SYNTAX_ERROR, describe(error), "")
    except RecursionError as error:
        return None, Report(Ending.RECURSION, describe(error), "")
    except MemoryError as error:
        return None, Report(Ending.OUT_OF_MEMORY, describe(error), "")


def kind_of(value):
    if isinstance(value, types.ModuleType):
        return {"kind": "module", "module": value.__name__}
    if callable(value) and not isinstance(value, type):
        return {"kind": "function"}
    try:
        return {"kind": "value", "value": encode(value)}
    except TypeError:
        module = getattr(value, "__module__", None)
        if isinstance(value, type) and module in sys.modules and module != "__main__":
            return {"kind": "from", "module": module, "name": value.__name__}
        return {"kind": "other", "type": type(value).__name__}


class WitWorld(wit_world.WitWorld):
    doors_open = True
    namespace: dict = {}
    output_bytes = 0

    def load(self, program, output_bytes):
        prepare()
        code, report = compiled(program, "<program>")
        if report is not None:
            return Loaded(report, "{}")
        namespace = {"__name__": "__main__", "__builtins__": builtins}
        WitWorld.namespace, WitWorld.output_bytes = namespace, output_bytes
        _, report = guarded(Output(output_bytes), lambda: exec(code, namespace))
        names = {name: kind_of(value) for name, value in list(namespace.items()) if not name.startswith("__")}
        return Loaded(report, json.dumps(names))

    def call(self, name, arguments):
        given = json.loads(arguments)
        args = [decode(item) for item in given["args"]]
        kwargs = {key: decode(item) for key, item in given["kwargs"].items()}

        def body():
            value = WitWorld.namespace[name](*args, **kwargs)
            return {"value": encode(value), "args": [try_encode(item) for item in args]}

        value, report = guarded(Output(WitWorld.output_bytes), body)
        if value is None:
            kind, _, message = report.detail.partition(": ")
            value = {"error": [kind, message]}
        return Called(report, json.dumps(value))

    def test(self, tests, names, answers, output_bytes):
        prepare()
        code, report = compiled(tests, "<tests>")
        if report is not None:
            return Tested_Finished(report)
        random.setstate(RANDOM_STATE)
        peer = Peer(json.loads(answers))
        namespace = {"__name__": "__main__", "__builtins__": builtins}
        for name, described in json.loads(names).items():
            peer.define(namespace, name, described)
        try:
            _, report = guarded(Output(output_bytes), lambda: exec(code, namespace))
        except NeedAnswer:
            pass
        if peer.wanted is not None:
            return Tested_Wants(peer.wanted)
        return Tested_Finished(report)


def try_encode(value):
    try:
        return encode(value)
    except TypeError:
        return None


class Peer:
    """The program as the tests see it: functions whose outcomes come from its own interpreter."""

    def __init__(self, answers):
        self.answers, self.n_used, self.wanted = answers, 0, None

    def define(self, namespace, name, described):
        kind = described["kind"]
        if kind == "function":
            namespace[name] = self.function(name)
        elif kind == "value":
            namespace[name] = decode(described["value"])
        elif kind in ("module", "from"):
            module = sys.modules.get(described["module"])
            value = module if kind == "module" else getattr(module, described["name"], None)
            if value is not None:
                namespace[name] = value

    def function(self, name):
        def stub(*args, **kwargs):
            if self.wanted is not None:
                raise NeedAnswer
            if self.n_used < len(self.answers):
                answer = self.answers[self.n_used]
                self.n_used += 1
                return settle(answer, args)
            given = {"args": [encode(item) for item in args], "kwargs": {k: encode(v) for k, v in kwargs.items()}}
            self.wanted = (name, json.dumps(given))
            raise NeedAnswer

        stub.__name__ = stub.__qualname__ = name
        return stub


def settle(answer, args):
    """The outcome of a call, with what it did to its arguments."""
    if "error" in answer:
        kind, message = answer["error"]
        error = BUILTIN_ERRORS.get(kind)
        # Only an ordinary error may be caught by a test that expects one.
        if error is None or not issubclass(error, Exception):
            raise RuntimeError(f"{kind}: {message}")
        try:
            raised = error(message)
        except TypeError:
            raised = RuntimeError(f"{kind}: {message}")
        raise raised
    for arg, after in zip(args, answer["args"]):
        if after is None:
            continue
        if isinstance(arg, list):
            arg[:] = decode(after)
        elif isinstance(arg, (dict, set)):
            changed = decode(after)
            arg.clear()
            arg.update(changed)
    return decode(answer["value"])
