"""Command line of Carrel."""
