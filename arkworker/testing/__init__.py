"""The public test kit: a pytest plugin, and an emulated Arkindex (`arkworker.testing.emulator`).

Importing this package costs nothing; what needs the extra `testing` is imported where it is used.
"""

from __future__ import annotations
