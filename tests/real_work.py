"""A program that reads for a while and must leave no trace; with ``--phone-home`` it does what a dependency might."""

from __future__ import annotations

import socket
import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["--phone-home"]:
        del sys.argv[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.connect(("127.0.0.1", 9))
    from carrel_cli.main import main

    main()
