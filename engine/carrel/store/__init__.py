"""Files that Carrel keeps: model folders and caches."""
