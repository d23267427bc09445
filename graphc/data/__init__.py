"""Data files that come with graphc, one folder each with its licence."""
