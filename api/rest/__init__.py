"""REST resources: from requests to use cases and back. Knows no HTML."""
