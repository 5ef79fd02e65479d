"""What a worker process does and bounds in the background. Knows no routes."""
