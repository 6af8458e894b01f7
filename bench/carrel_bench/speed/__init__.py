"""Time of reading and of its parts."""
