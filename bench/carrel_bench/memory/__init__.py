"""Memory and sizes of files."""
