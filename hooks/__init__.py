"""Git's hooks around the store. No Flask, no click.

A hook is started by Git in the repository, as ``python -P -m hooks <name>``; what it must
know beyond that stands in JOBTYPES_* variables, see settings.py.
"""
