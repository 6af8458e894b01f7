"""Measurements of Carrel: accuracy, speed, memory. Each module is a command, ``python -m carrel_bench.<name>``."""
