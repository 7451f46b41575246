"""Sends what a worker found on an element: planned without any effect, then performed.

```
results ──► gathering ──► planning ──► Plan (requests in order, names that the corpus must have)
                                        │
              corpus (ids of names) ──► ├──► sending (lost, looked for, sent again) ──► Arkindex
```
"""
