"""The logger of everything about images."""

import logging

logger = logging.getLogger("arkworker.images")
