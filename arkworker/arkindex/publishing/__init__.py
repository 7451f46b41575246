"""Sends what a worker found on an element: planned without any effect, then performed.

```
results ──► gathering ──► planning ──► Plan (requests in order, names that the corpus must have)
                                        │
              corpus (ids of names) ──► ├──► sending ──► certainty (lost, looked for, sent again) ──► Arkindex
```

Names are resolved when they are first used: a run without results does not import how they are published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.lazy import lazy_names

if TYPE_CHECKING:
    from arkworker.arkindex.publishing.corpus import Corpora as Corpora, Corpus as Corpus
    from arkworker.arkindex.publishing.publisher import (
        ArkindexPublisher as ArkindexPublisher,
        Publisher as Publisher,
        SummarizingPublisher as SummarizingPublisher,
    )
else:
    _HOMES = {
        "ArkindexPublisher": "publisher",
        "Corpora": "corpus",
        "Corpus": "corpus",
        "Publisher": "publisher",
        "SummarizingPublisher": "publisher",
    }

    __getattr__, __dir__ = lazy_names(__name__, _HOMES)

__all__ = ["ArkindexPublisher", "Corpora", "Corpus", "Publisher", "SummarizingPublisher"]
