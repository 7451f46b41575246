"""Sends what a worker found on an element: planned without any effect, then performed.

```
results ──► nodes ──► merging ──► planning ──► Plan (requests in order, names that the corpus must have)
                                                │
                       corpus (ids of names) ──►├──► sending ──► Arkindex
```
"""

from arkworker.arkindex.publishing.corpus import Corpus
from arkworker.arkindex.publishing.publisher import (
    ArkindexPublisher,
    CheckingPublisher,
    Corpora,
    Publisher,
    SummarizingPublisher,
)

__all__ = ["ArkindexPublisher", "CheckingPublisher", "Corpora", "Corpus", "Publisher", "SummarizingPublisher"]
