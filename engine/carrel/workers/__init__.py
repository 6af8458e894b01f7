"""Strangers' files, read in confined processes: tasks in, answers out, in no particular order.

A `pool.Pool` takes tasks (`messages.OpenFile`, `messages.ReadPage`) and gives a `pool.Answer` for each: the task, and what
came of it, one of `messages.Opened`, `PageRead`, `Refused`, `Failed` and `Gone`. Whoever has files to read uses it: a
batch, a hot folder, a desk, a server. It knows no folders of results and no journal; nothing is written but what
libraries put into the workers' spool.

>>> with LocalPool(2, Work(options), places) as pool:                       # doctest: +SKIP
...     pool.submit(ReadPage("1", seen(path, path.stat()), 0, ("text",)))
...     for answer in pool.wait(1.0):
...         match answer.outcome: ...

`pool.LocalPool` starts processes on this machine: each opens no file by name, gets one open file at a time from the pool,
and is killed when it takes too long or says what no worker says.
"""

from __future__ import annotations
