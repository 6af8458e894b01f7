"""Font files of Debian's font packages, sorted into print and script faces, for rendered training material.

Packages: fonts-dejavu-core, -liberation, -freefont-ttf, -linuxlibertine, -ebgaramond, -oldstandard, -gfs-didot, -junicode,
-courier-prime, -gnutypewriter, -crosextra-caladea, -crosextra-carlito, -cabin, -lindenhill, -open-sans, -lato,
-averia-serif-gwf, -urw-base35, -texgyre, -lmodern (print) and -dancingscript, -ecolier-court, -kristi, -kaushanscript,
-levien-typoscript, -femkeklaver, -breip, -dkg-handwriting, -joscelyn, -bwht, -rufscript, -havana, -humor-sans,
-tomsontalks (script).
"""

from __future__ import annotations

from pathlib import Path

FOLDERS = (
    Path("/usr/share/fonts/truetype"),
    Path("/usr/share/fonts/opentype"),
    Path("/usr/share/texmf/fonts/opentype/public"),
)
SCRIPT_FOLDERS = (
    "dancingscript",
    "ecolier-court",
    "kristi",
    "kaushanscript",
    "levien",
    "femkeklaver",
    "breip",
    "fifthhorseman",
    "joscelyn",
    "bwht",
    "rufscript",
    "havana",
    "humor-sans",
    "tomsontalks",
)
PRINT_FOLDERS = (
    "dejavu",
    "liberation",
    "freefont",
    "linux-libertine",
    "ebgaramond",
    "fonts-oldstandard",
    "didot",
    "junicode",
    "courier-prime",
    "gnutypewriter",
    "crosextra",
    "cabin",
    "lindenhill",
    "open-sans",
    "lato",
    "averia-gwf",
    "urw-base35",
    "tex-gyre",
    "lm",
)
TYPEWRITER = ("gnutypewriter", "courier", "mono", "cursor", "lmmono")
_LEFT_OUT = ("z003", "chorus", "math", "symbol", "d050000l", "linbiolinum_k", "hairline", "unsl", "dunh")


def faces(folders: tuple[str, ...]) -> dict[str, list[Path]]:
    """Return font files per folder name; folders that are not installed are left out."""
    found: dict[str, list[Path]] = {}
    for root in FOLDERS:
        for name in folders:
            files = sorted(
                f for f in (root / name).glob("*.[ot]tf") if not any(word in f.name.lower() for word in _LEFT_OUT)
            )
            if files:
                found.setdefault(name, []).extend(files)
    return found


def print_faces() -> dict[str, list[Path]]:
    """Return faces of print and typewriters."""
    return faces(PRINT_FOLDERS)


def script_faces() -> dict[str, list[Path]]:
    """Return faces that look written by hand."""
    return faces(SCRIPT_FOLDERS)
