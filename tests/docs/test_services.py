"""The guide to services shows a worker that runs, and names that exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from arkworker import WorkerContext
from arkworker.arkindex.client import Client, Connection
from arkworker.arkindex.tasks import list_artifacts
from arkworker.emulator import Emulator

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "services.md").read_text(encoding="utf-8")


def test_the_worker_of_the_guide_runs(tmp_path: Path) -> None:
    """It downloads, publishes and uploads what it says."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    (tmp_path / "train.py").write_text(code, encoding="utf-8")
    with Emulator() as arkindex:
        arkindex.add_corpus()
        dataset = arkindex.add_dataset("Pages", {"train": arkindex.add_elements(3, image=(10, 10))})
        run = arkindex.add_worker_run(elements=[])
        client = Client(Connection(url=arkindex.url, token=arkindex.token))
        model = client.request("RetrieveModelVersion", id=arkindex.add_model_version("Model"))["model_id"]
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environ |= {"PYTHONPATH": str(ROOT)} | arkindex.environment(run, data_dir=tmp_path / "data")
        flags = ["--config.model", model, "--config.dataset", dataset]
        command = [sys.executable, str(tmp_path / "train.py"), *flags]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        artifacts = [artifact.path for artifact in list_artifacts(client, arkindex.tasks(run)[0].id)]
        client.close()

    assert (done.returncode, done.stdout, artifacts) == (0, "trained is available\n", ["report.txt"]), done.stderr


def test_names_of_the_guide_exist() -> None:
    """Methods of the context, and functions of modules."""
    rows = re.findall(r"^\| (.*?) \| (.*?) \|$", GUIDE, re.MULTILINE)
    methods = [name for cell, _ in rows for name in re.findall(r"^`(\w+)\(", cell)]
    modules = {cell.strip("`"): re.findall(r"`(\w+)`", names) for cell, names in rows if cell.startswith("`arkworker.")}

    assert [name for name in methods if not hasattr(WorkerContext, name)] == []
    assert (len(methods), len(modules)) == (5, 3)
    for module, names in modules.items():
        assert [name for name in names if not hasattr(import_module(module), name)] == []
