"""Threads that OpenCV starts for a picture, whatever else is read beside it."""

from __future__ import annotations


def limit_threads(threads: int) -> None:
    """Let OpenCV use so many threads at most, in this process: by itself it takes every processor for each picture."""
    import cv2

    if cv2.getNumThreads() > threads:
        cv2.setNumThreads(threads)
