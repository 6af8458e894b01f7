"""Scans and results that lie in an object store; lists, leases and records stay in a folder that all machines see."""

from __future__ import annotations
