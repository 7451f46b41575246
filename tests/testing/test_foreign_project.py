"""Another project's tests, in an environment where the wheel of arkworker is installed, without its extras."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SUITE = """
import sys

import pytest


def test_the_cache_is_that_of_pytest(cache):
    cache.set("a/b", 1)
    assert cache.get("a/b", 0) == 1


@pytest.mark.parametrize("name", ["arkindex", "invoke", "make_context"])
def test_no_short_name_is_taken(request, name):
    with pytest.raises(pytest.FixtureLookupError):
        request.getfixturevalue(name)


def test_no_hook_is_added(pytestconfig):
    plugin = pytestconfig.pluginmanager.get_plugin("arkworker")
    assert plugin is not None and not pytestconfig.pluginmanager.get_hookcallers(plugin)


def test_hardly_anything_is_imported():
    ours = sorted(name for name in sys.modules if name.partition(".")[0] == "arkworker")
    assert ours == ["arkworker", "arkworker.lazy", "arkworker.testing", "arkworker.testing.plugin", "arkworker.version"]
    assert not {"pydantic", "requests", "sqlalchemy", "yaml", "starlette"} & sys.modules.keys()


def test_it_is_the_wheel_that_is_installed(arkworker_cache):
    import arkworker

    assert "site-packages" in arkworker.__file__
    assert arkworker_cache.is_active is not None
"""
OWN = """
pytest_plugins = ["arkworker.testing.fixtures"]


def test_short_names_are_there_when_asked_for(cache, make_context, invoke):
    assert callable(make_context) and callable(invoke) and hasattr(cache, "scalars")
"""


def requirements(name: str, found: set[str]) -> set[str]:
    """The distributions that one needs without extras, as they are installed here."""
    if name not in found:
        found.add(name)
        for line in distribution(name).requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                requirements(needed.name.lower().replace("_", "-"), found)
    return found


def link(names: set[str], folder: Path) -> None:
    """Install distributions by links to their files: no network, no copies."""
    for name in names:
        files = distribution(name).files or ()
        for top in {Path(str(file)).parts[0] for file in files} - {"..", "__pycache__"}:
            source = Path(str(distribution(name).locate_file(top)))
            if source.exists() and not (folder / top).exists():
                (folder / top).symlink_to(source)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel, what that needs, and pytest."""
    base = tmp_path_factory.mktemp("foreign")
    build = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-q"]
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(base), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([*build, "--wheel-dir", str(base), str(ROOT)], check=True, env=environ, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(base / "env")], check=True)
    (packages,) = (base / "env" / "lib").glob("python*/site-packages")
    (wheel,) = base.glob("arkworker-*.whl")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(packages)
    link((requirements("arkworker", set()) | requirements("pytest", set())) - {"arkworker"}, packages)
    return base / "env" / "bin" / "python"


@pytest.mark.parametrize(("suite", "ending"), [(SUITE, "7 passed"), (OWN, "1 passed")])
def test_a_foreign_suite_passes(python: Path, tmp_path: Path, suite: str, ending: str) -> None:
    """It has pytest's own `cache`; the fixtures of arkworker have short names where a module asks for them."""
    (tmp_path / "test_foreign.py").write_text(suite)

    command = [str(python), "-m", "pytest", "-q", "-W", "error"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout.splitlines()[-1].partition(" in ")[0] == ending, done.stdout + done.stderr
