"""What all routes share: identity, errors, bodies, responses. Knows no jobtypes."""
