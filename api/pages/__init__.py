"""HTML for people with a browser. Decides nothing that REST does not decide.

`routes` is all of it that an agent's request may load.
"""
