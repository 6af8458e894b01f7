"""From the prepared page back to the scan: points are mapped, pixels never twice."""
