"""Man pages and completions go into the wheel where ``make wheel`` has made them; a build straight from the sources has none."""

# hatchling is there while a wheel is built, and not otherwise
# pyright: reportMissingImports=false, reportUntypedBaseClass=false

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShareHook(BuildHookInterface):
    """A build hook that puts ``build/share`` under ``share/``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder, if it is there."""
        share = Path(self.root, "build", "share")
        if version == "standard" and share.is_dir():
            build_data["shared_data"][str(share)] = "share"
