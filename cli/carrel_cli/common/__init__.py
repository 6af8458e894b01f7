"""Options, messages, paths and streams that several commands share, and the run over pages."""
