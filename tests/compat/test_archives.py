"""One tree, whoever made the archive and whoever extracts it: the published library, tar, and arkworker."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from arkworker.storage.archives import create, extract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Peer = Callable[[str], Path]

pytestmark = pytest.mark.compat

PUBLISHED = "base-worker-0.6.0"
CREATE = """
import sys
from pathlib import Path
from arkindex_worker.utils import create_tar_zst_archive
create_tar_zst_archive(Path(sys.argv[1]), Path(sys.argv[2]))
"""
EXTRACT = """
import sys
from pathlib import Path
from arkindex_worker.utils import close_delete_file, extract_tar_zst_archive
close_delete_file(*extract_tar_zst_archive(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def run_published(peer: Peer, script: str, first: Path, second: Path, workspace: Path) -> None:
    environment = {"TMPDIR": str(workspace), "HOME": str(workspace), "PATH": "/usr/bin:/bin"}
    command: list[str | Path] = [peer(PUBLISHED), "-c", script, first, second]
    subprocess.run(command, check=True, env=environment, cwd=workspace, capture_output=True)


def archive_with(maker: str, source: Path, archive: Path, peer: Peer) -> None:
    if maker == "arkworker":
        create(source, archive)
    elif maker == "tar":
        subprocess.run(["tar", "--zstd", "-cf", archive, "-C", source, "."], check=True)
    else:
        run_published(peer, CREATE, source, archive, archive.parent)


def extract_with(extractor: str, archive: Path, destination: Path, peer: Peer) -> None:
    if extractor == "arkworker":
        extract(archive, destination)
        return
    destination.mkdir()
    if extractor == "tar":
        subprocess.run(["tar", "--zstd", "-xf", archive, "-C", destination], check=True)
    else:
        run_published(peer, EXTRACT, archive, destination, archive.parent)


def read(root: Path) -> dict[str, tuple[bool, bytes]]:
    """Every path: whether its owner may execute it, and the content of files."""
    return {
        str(path.relative_to(root)): (bool(path.stat().st_mode & 0o100), path.read_bytes() if path.is_file() else b"")
        for path in root.rglob("*")
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What workers put into archives: pages, weights, a hub cache with its links, names of all lengths."""
    root = tmp_path_factory.mktemp("source")
    (root / "empty").mkdir()
    (root / "pages é").mkdir()
    for number in range(30):
        (root / "pages é" / f"page {number}.txt").write_text(f"text of page {number}\n" * number)
    (root / ("a" * 90) / ("b" * 150)).mkdir(parents=True)
    (root / ("a" * 90) / ("b" * 150) / ("c" * 200)).write_text("a long name")
    (root / "blobs").mkdir()
    (root / "blobs" / "weights").write_bytes(bytes(range(256)) * 8000)
    (root / "snapshot").mkdir()
    (root / "snapshot" / "model.bin").symlink_to("../blobs/weights")
    (root / "snapshot" / "same.bin").hardlink_to(root / "blobs" / "weights")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    return root


@pytest.mark.parametrize("extractor", ["arkworker", "tar", "published"])
@pytest.mark.parametrize("maker", ["arkworker", "tar", "published"])
def test_the_same_tree_whoever_made_it(maker: str, extractor: str, source: Path, tmp_path: Path, peer: Peer) -> None:
    """Nine ways from one directory to another, and the same files at the end of each."""
    archive_with(maker, source, tmp_path / "archive.tar.zst", peer)
    extract_with(extractor, tmp_path / "archive.tar.zst", tmp_path / "out", peer)
    assert read(tmp_path / "out") == read(source)
