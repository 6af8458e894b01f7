"""The desk and the HTTP API: Carrel for browsers and programs on the same machine, on the loopback interface alone."""
