"""Fleets of many machines, without pages: what lists, leases, status and merging cost."""
