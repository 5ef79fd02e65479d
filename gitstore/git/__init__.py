"""Git itself: objects, refs, commits, the git program. Knows no jobtypes."""
