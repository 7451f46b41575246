"""Publishes results files, and knows at any moment what of them is on Arkindex.

```
order: FILEs ──► file: several elements ──► element: its requests ──► Arkindex
                                              │       ▲
                                        note  ▼       │ what is there already, where an answer was lost
                                         FILE.journal
```

Before each request it is noted that it is in flight, after it what it gave. Killed in between, the next publication
reads back what this worker run has on the element, and so learns whether the request was carried out.
"""
