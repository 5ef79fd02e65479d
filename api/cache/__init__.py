"""Responses kept in memory, in front of Flask and inside it. Decides nothing."""
