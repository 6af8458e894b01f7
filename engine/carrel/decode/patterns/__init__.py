"""Patterns: what a field may hold, as automata that the searches of both recognizers follow."""

from carrel.decode.patterns.constraint import Constraint, constraint_of

__all__ = ["Constraint", "constraint_of"]
