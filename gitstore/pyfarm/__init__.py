"""PyFarm's master: its tables, its REST API, and what moves between them and the branch.

It may use all of gitstore, and nothing of gitstore uses it. It knows nothing of serving HTTP.
SQLAlchemy is imported when a database is opened, and not before: it is an optional dependency.
"""
