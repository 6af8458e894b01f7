"""Many machines on one folder of scans: lists of files (shards), leases, one batch a shard, and the whole put together.

Nothing but the shared folder of results connects the machines. A shard is worked by one machine at a time, since its lease
is a file that only one can create; its results appear by one rename, so that they are there once and whole even where two
machines did the same work.
"""

from __future__ import annotations
