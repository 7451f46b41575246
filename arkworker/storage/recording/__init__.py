"""Results kept in a file, for a machine without a network: what was found, how each element ended, what signs it.

```
run --results FILE ──► writing ──► FILE ──► reading ──► publish FILE
                          └── lines: one JSON object each ──┘
```
"""
