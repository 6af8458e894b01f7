"""Commands for many machines on one folder: shard, work, status, merge, fleet."""

from __future__ import annotations
