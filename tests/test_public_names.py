"""The public door: what `arkworker` exports."""

from __future__ import annotations

import ast
import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import arkworker

SOURCE = Path(arkworker.__file__)


def names_for_type_checkers() -> list[str]:
    """What the block for type checkers imports."""
    blocks = [node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return sorted(alias.name for node in imports for alias in node.names)


def test_names_are_sorted_and_unique() -> None:
    """`__all__` reads well."""
    assert list(arkworker.__all__) == sorted(set(arkworker.__all__))


def test_every_name_can_be_had() -> None:
    """Nothing is promised that is not there."""
    missing = [name for name in arkworker.__all__ if not hasattr(arkworker, name)]

    assert missing == []


def test_type_checkers_see_the_same_names() -> None:
    """Lazy names and typed names are one list."""
    assert names_for_type_checkers() == list(arkworker.__all__)


def test_names_are_those_of_their_modules() -> None:
    """A public class says where it really lives, so that it pickles."""
    classes = [getattr(arkworker, name) for name in arkworker.__all__ if isinstance(getattr(arkworker, name), type)]

    assert [pickle.loads(pickle.dumps(kind)) for kind in classes] == classes


def test_names_are_listed() -> None:
    """`dir` shows them before they are used."""
    code = "import arkworker; print(set(arkworker.__all__) <= set(dir(arkworker)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "True\n"


def test_unknown_name() -> None:
    """The error is that of any module."""
    with pytest.raises(AttributeError, match="module 'arkworker' has no attribute 'Wroker'"):
        getattr(arkworker, "Wroker".strip())


@pytest.mark.parametrize(
    ("door", "names"),
    [
        ("arkworker.storage.archives", ["create", "extract", "extract_parent_archives"]),
        (
            "arkworker.arkindex.datasets",
            [
                "Dataset",
                "DatasetSet",
                "Export",
                "ExportError",
                "add_element",
                "create_dataset",
                "download_export",
                "find_export",
                "list_elements",
                "list_exports",
                "remove_element",
                "retrieve_dataset",
                "start_export",
            ],
        ),
        ("arkworker.arkindex.images", ["create_iiif_image", "upload_image"]),
        (
            "arkworker.arkindex.tasks",
            ["Artifact", "download_artifact", "list_artifacts", "retrieve_parents", "upload_artifact"],
        ),
        (
            "arkworker.storage.cache",
            [
                "SCHEMA_VERSION",
                "CacheModel",
                "CachedClassification",
                "CachedDataset",
                "CachedDatasetElement",
                "CachedElement",
                "CachedImage",
                "CachedTranscription",
                "CachedTranscriptionEntity",
                "Limits",
                "MergeReport",
                "find_parent_caches",
                "find_target",
                "merge",
                "open_cache",
                "session_scope",
            ],
        ),
        ("arkworker.storage.local_secrets", ["SecretStore", "check_secret_name"]),
    ],
)
def test_doors_of_rooms(door: str, names: list[str]) -> None:
    """What is documented of a room, sorted."""
    module = importlib.import_module(door)

    assert [name for name in module.__all__ if hasattr(module, name)] == names
