"""Models that ship with Carrel: data only."""
