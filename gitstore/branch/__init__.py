"""The use cases of one served branch: read, write, review, follow. Knows no HTTP."""
