"""Proposals: a template from a page."""
