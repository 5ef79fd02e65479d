"""From commits to what is served: steps, version numbers, the read model. Checks nothing."""
