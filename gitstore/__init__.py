"""Git and YAML in, jobtypes out.

Imports run one way: ``api`` imports ``hooks`` and ``gitstore``, ``hooks`` imports
``gitstore``, and nothing runs back. Nothing here knows Flask, click or the environment
variables of a service.
"""
