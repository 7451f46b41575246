"""From TARGET to a worker."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING

import pytest

from arkworker.errors import TargetError
from arkworker.runtime.target import FunctionWorker, as_worker, load_target
from arkworker.runtime.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORKER = """
from arkworker import Worker

class W(Worker):
    def run(self, context, cache): ...
"""


@pytest.fixture(autouse=True)
def _same_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes a module, and answers its name."""

    def write(source: str, name: str = "some_worker.py") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return name

    return write


def refusal(target: str) -> str:
    with pytest.raises(TargetError) as caught:
        load_target(target)
    return str(caught.value)


def test_file(write: Callable[..., str]) -> None:
    """A class in a file."""
    assert isinstance(load_target(f"{write(WORKER)}:W"), Worker)


def test_module(write: Callable[..., str]) -> None:
    """A class in a module of the working directory."""
    write(WORKER)

    assert isinstance(load_target("some_worker:W"), Worker)


def test_module_of_a_package(write: Callable[..., str]) -> None:
    """With its relative imports."""
    write("", "package/__init__.py")
    write("NAME = 'x'", "package/names.py")
    write(f"from .names import NAME\n{WORKER}", "package/inner.py")

    assert isinstance(load_target("package.inner:W"), Worker)


def test_instance(write: Callable[..., str]) -> None:
    """A worker that is made already."""
    assert isinstance(load_target(f"{write(WORKER + 'w = W()')}:w"), Worker)


def test_function(write: Callable[..., str]) -> None:
    """A plain function is a worker."""
    assert isinstance(load_target(f"{write('def w(context, cache): ...')}:w"), FunctionWorker)


def test_nested_name(write: Callable[..., str]) -> None:
    """Dots lead into what is found."""
    source = f"class Outer:\n{WORKER.replace(chr(10), chr(10) + '    ')}"

    assert isinstance(load_target(f"{write(source)}:Outer.W"), Worker)


def test_modules_beside_a_file_are_found(write: Callable[..., str]) -> None:
    """As if the file were run by Python."""
    write("NAME = 'x'", "folder/beside_worker.py")

    assert isinstance(load_target(write(f"import beside_worker\n{WORKER}", "folder/w_file.py") + ":W"), Worker)


def test_classes_of_a_file_pickle(write: Callable[..., str]) -> None:
    """The module has its own name."""
    worker = load_target(f"{write(WORKER)}:W")

    assert pickle.loads(pickle.dumps(type(worker))) is type(worker)


@pytest.mark.parametrize("name", ["json.py", "pytest.py", "typing.py"])
def test_file_with_the_name_of_another_module(name: str, write: Callable[..., str]) -> None:
    """Both are there, and annotations mean what they mean in the file."""
    other = sys.modules[name.removesuffix(".py")] if name != "pytest.py" else pytest
    source = (
        "from __future__ import annotations\nfrom arkworker import UserConfiguration, Worker\n"
        "class Inner(UserConfiguration):\n    x: int = 1\n"
        "class C(UserConfiguration):\n    inner: Inner = Inner()\n"
        "class W(Worker[C]):\n    def run(self, context, cache): ...\n"
    )

    worker = load_target(f"{write(source, f'folder/{name}')}:W")

    assert worker.configuration is not None
    assert worker.configuration().inner.x == 1  # type: ignore[attr-defined]
    assert sys.modules[name.removesuffix(".py")] is other


def test_two_files_of_one_name(write: Callable[..., str]) -> None:
    """In two folders, both in one process."""
    first = load_target(f"{write(WORKER, 'one/main_file.py')}:W")
    second = load_target(f"{write(WORKER, 'two/main_file.py')}:W")

    assert type(first) is not type(second)
    assert type(load_target("one/main_file.py:W")) is type(first)


def test_a_target_without_its_name_is_told_which_one(tmp_path: Path) -> None:
    """The last class of the file, or the last part of a dotted name."""
    file = tmp_path / "train.py"
    file.write_text("class Options: ...\nclass Train: ...\n")

    for target, like in ((str(file), f"{file}:Train"), ("my_pages.worker.Pages", "my_pages.worker:Pages")):
        with pytest.raises(TargetError, match=rf"should be module:name or path/to/file\.py:name, such as {like}$"):
            load_target(target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("absent.py:W", "there is no file absent.py"),
        ("absent_module_x:W", "there is no module absent_module_x"),
        ("absent_package_x.module:W", "there is no module absent_package_x.module"),
        ("W", "TARGET 'W' should be module:name or path/to/file.py:name"),
        ("x.py:", "TARGET 'x.py:' should be module:name or path/to/file.py:name"),
        ("a\x1b[31m.py:W", "there is no file a\\x1b[31m.py"),
        (f"{'x' * 5000}.py:W", f"there is no file {'x' * 200}…"),
        (".:W", "there is no module ."),
    ],
)
def test_what_is_not_there(target: str, message: str) -> None:
    """One line that names it."""
    assert refusal(target).startswith(message[:60])


def test_forgotten_suffix(write: Callable[..., str]) -> None:
    """A file without `.py` is taken for a module; the message says how to name it."""
    write(WORKER, "folder/w_file.py")

    assert refusal("folder/w_file:W").endswith("a file is named with its suffix: folder/w_file.py")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import absent_library_x", "ModuleNotFoundError: No module named 'absent_library_x' ({file}:1)"),
        ("\n1 / 0", "ZeroDivisionError: division by zero ({file}:2)"),
        ("x = (", "SyntaxError: '(' was never closed ({file}:1)"),
        ("raise SystemExit(0)", "SystemExit: 0 ({file}:1)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt ({file}:1)"),
        ("class Stop(BaseException): ...\nraise Stop('now')", "Stop: now ({file}:2)"),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded ({file}:1)"),
        ("raise Exception('a\\x1b[31m\\nb')", "Exception: a\\x1b[31m\\nb ({file}:1)"),
        ("class E(Exception):\n def __str__(self): 1/0\nraise E", "some_worker.E: <exception str() failed> ({file}:3)"),
        ("import arkindex_worker", "'arkindex_worker' ({file}:1); it is written for arkindex-base-worker: the guide"),
        ("from . import x", "known parent package ({file}:1); name a module of a package as package.module:name"),
        (
            "from arkworker import UserConfiguration\nclass C(UserConfiguration):\n a: int = 'x'",
            "C: a: the default is refused: Input should be a valid integer ({file}:2)",
        ),
        (
            "from arkworker import Worker\nclass W(Worker[int]): ...",
            "W: the configuration int is not derived from UserConfiguration",
        ),
    ],
)
def test_import_that_fails(source: str, message: str, write: Callable[..., str], tmp_path: Path) -> None:
    """What happened and where, in the author's own file; the cause is chained for `-v`."""
    with pytest.raises(TargetError) as caught:
        load_target(f"{write(source)}:W")

    assert str(caught.value).startswith("some_worker.py cannot be imported: ")
    assert message.format(file=tmp_path / "some_worker.py") in str(caught.value)
    assert caught.value.__cause__ is not None
    assert "some_worker" not in sys.modules


def test_import_of_a_module_that_fails(write: Callable[..., str]) -> None:
    """A module that is there, and lacks another, is not called absent."""
    write("import absent_library_x")

    assert "No module named 'absent_library_x'" in refusal("some_worker:W")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Wrong", "there is no Wrong in it; did you mean WWrong?"),
        ("zzz", "there is no zzz in it; it has Failing, Needy, W, WWrong"),
        ("number", "is not a worker: derive it from Worker, or write a function (context, cache)"),
        ("Plain", "is not a worker: derive it from Worker, or write a function (context, cache)"),
        ("Worker", "Worker has no run(context, cache)"),
        (
            "Needy",
            "cannot be constructed without arguments: TypeError: Needy.__init__() missing 1 required positional",
        ),
        ("Failing", "cannot be constructed without arguments: ValueError: no model"),
        ("WWrong", "WWrong has no run(context, cache)"),
        ("one", "one(context) should take (context, cache)"),
        ("late", "late is asynchronous, but arkworker does not await it"),
    ],
)
def test_no_worker(name: str, message: str, write: Callable[..., str]) -> None:
    """What it is instead, and what to do."""
    source = f"""{WORKER}
number = 3
class Plain: ...
class WWrong(Worker): ...
class Needy(W):
    def __init__(self, model): ...
class Failing(W):
    def __init__(self): raise ValueError("no model")
def one(context): ...
async def late(context, cache): ...
"""

    assert message in refusal(f"{write(source)}:{name}")


def test_worker_of_a_console_command() -> None:
    """A class is taken as it is."""

    class W(Worker):
        def run(self, context: object, cache: object) -> None: ...

    assert isinstance(as_worker(W, "x:W"), W)
