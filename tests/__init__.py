"""The tests: what they share is in `support`, the other folders are those of the code."""
