"""Error rates against ground truth."""
