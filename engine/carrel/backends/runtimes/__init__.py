"""Runtimes of networks, and what is put around one that may fail."""
