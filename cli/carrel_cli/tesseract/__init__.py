"""A stand-in for Tesseract's command: its arguments in, its files out, read by Carrel."""
