"""The HTTP server and its worker processes. Knows no routes."""
