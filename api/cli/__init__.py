"""The command `jobtypes`. Knows HTTP through `serve` alone."""
