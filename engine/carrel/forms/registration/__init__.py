"""Registration: where a template lies on a scan."""
