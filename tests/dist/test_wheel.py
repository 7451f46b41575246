"""What `make dist` has built, used as by somebody who has no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
LONG = 3600  # seconds: on a machine that does much else, an installation takes ten minutes
WORKER = '''
from arkworker import UserConfiguration, Worker


class Configuration(UserConfiguration):
    threshold: float = 0.5


class Greeter(Worker[Configuration]):
    """Say hello."""

    def run(self, context, cache) -> None:
        print("hello", context.config.threshold)
'''

pytestmark = pytest.mark.dist


@pytest.fixture(scope="session")
def wheel() -> Path:
    wheels = sorted((ROOT / "dist").glob("arkworker-*.whl"))
    if not wheels:
        pytest.fail("there is no wheel in dist: run `make dist`")
    return wheels[-1]


@pytest.fixture(scope="session")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes an environment with the wheel, some of its extras and other packages; gives its folder of commands."""

    def install(extras: str = "", *packages: str) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        venv.create(folder, with_pip=True)
        command = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "-qq",
            "--no-input",
            f"{wheel}{extras}",
            *packages,
        ]
        subprocess.run(command, check=True, timeout=LONG)
        return folder / "bin"

    return install


def run(command: str, bin_folder: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    environ.pop("PYTHONPATH", None)
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=LONG
    )


def test_a_worker_runs_without_extras(install: Callable[..., Path], tmp_path: Path) -> None:
    """Nothing but the wheel and what it depends on."""
    (tmp_path / "greeter.py").write_text(WORKER, encoding="utf-8")
    folder = install()

    done = run("arkworker run greeter.py:Greeter --config.threshold 0.7", folder, tmp_path)

    assert (done.returncode, done.stdout) == (0, "hello 0.7\n"), done.stderr


def test_what_an_extra_is_needed_for_names_it(install: Callable[..., Path], tmp_path: Path) -> None:
    """The emulated Arkindex without its extra is one line with the remedy."""
    done = run("arkworker serve .", install(), tmp_path)

    assert (done.returncode, "arkworker[testing]" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


@pytest.mark.parametrize("extra", ["image", "example", "testing"])
def test_each_extra_installs_what_it_promises(extra: str, install: Callable[..., Path], tmp_path: Path) -> None:
    """The modules behind it can be imported."""
    modules = {"image": "arkworker.images.opener", "example": "numpy, PIL", "testing": "arkworker.emulator"}

    done = run(f"python -c 'import {modules[extra]}'", install(f"[{extra}]"), tmp_path)

    assert done.returncode == 0, done.stderr


def test_the_documents_are_true_of_the_wheel(install: Callable[..., Path], tmp_path: Path) -> None:
    """The README's and the guides' steps, with the installed package and no checkout in sight."""
    for name in ("tests", "docs", "examples", "schemas"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    folder = install("[image,example,testing]", "hypothesis", "pytest-randomly", "jsonschema")

    # Links lead to files of the checkout.
    command = "pytest -q -p no:cacheprovider tests/test_readme.py tests/docs --ignore tests/docs/test_links.py"
    done = run(command, folder, tmp_path)

    assert done.returncode == 0, done.stdout[-6000:]


def test_the_source_distribution_is_whole() -> None:
    """It has what is needed to test it and to read about it."""
    with tarfile.open(max((ROOT / "dist").glob("arkworker-*.tar.gz"))) as archive:
        folders = {name.split("/")[1] for name in archive.getnames()}

    assert {"arkworker", "tests", "docs", "examples", "schemas", "benchmarks", "Makefile", "README.md"} <= folders
