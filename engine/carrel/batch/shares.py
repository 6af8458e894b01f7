"""Network shares: where a journal may not lie, since SQLite's write-ahead log needs memory that processes share, and its locks
need a file system that keeps them (https://www.sqlite.org/wal.html)."""

from __future__ import annotations

import os
import re
from pathlib import Path

from carrel.errors import UsageError

_SHARES = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
    ]
)
_LOCAL_FUSE = frozenset(
    ["encfs", "cryfs", "ext2", "ext4", "fuse-overlayfs", "gocryptfs", "lxcfs", "mergerfs", "ntfs", "ntfs-3g", "exfat"]
)
"""Of the many that are called ``fuse.NAME``, those that lie on a disk of this machine."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


def network_share(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """Return the kind of network share that a path lies on, such as ``nfs4``; None where its disk is local or nothing tells."""
    try:
        lines = os.fsdecode(mounts.read_bytes()).splitlines()
    except OSError:
        return None
    wanted, kind, longest = path.resolve(), "", -1
    for line in lines:
        before, _, after = line.partition(" - ")
        point = Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), before.split(" ")[4]))
        if wanted.is_relative_to(point) and len(point.parts) >= longest:  # a later one lies over an earlier
            kind, longest = after.split(" ")[0], len(point.parts)
    return kind if _is_share(kind) else None


def _is_share(kind: str) -> bool:
    family, _, name = kind.partition(".")
    return kind in _SHARES or (family == "fuse" and name not in _LOCAL_FUSE)


def require_local(state: Path) -> None:
    """Make sure that a journal can lie in ``state``.

    Raises
    ------
    UsageError
        It is on a network share.
    """
    kind = network_share(state)
    if kind:
        raise UsageError(
            f"{state}: lies on a network share ({kind}), where a journal may be damaged; results may go there, so name a"
            " folder on a local disk for the journal, --state DIR"
        )
