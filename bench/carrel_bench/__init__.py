"""Measurements of Carrel: ``python -m carrel_bench NAME``, in the rooms accuracy, speed, memory and peers."""
