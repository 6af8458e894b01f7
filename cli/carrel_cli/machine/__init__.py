"""Commands about this machine: what is installed, models, devices, and what was left on it."""
