"""Edits of jobtypes and software: functions from tree to tree. They move no ref."""
