"""HTML for people with a browser. Decides nothing that REST does not decide."""
