"""The format of a repository's files: names, limits, YAML. Knows no Git."""
