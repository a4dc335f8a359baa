"""Sessions as jobs of Slurm: submitting, watching, signalling."""
