"""A project as a person describes it, one YAML file or a folder of images, and its way into an emulator."""

from __future__ import annotations

from arkworker.emulator.project.corpus import holds_images
from arkworker.emulator.project.items import FaultItem, Project
from arkworker.emulator.project.reading import read_fault, read_project
from arkworker.emulator.project.steps import Step, add_project, arrange

__all__ = [
    "FaultItem",
    "Project",
    "Step",
    "add_project",
    "arrange",
    "holds_images",
    "read_fault",
    "read_project",
]
