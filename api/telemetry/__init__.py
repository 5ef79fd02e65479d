"""What the service tells of itself: request ids, log lines, metrics. Changes no response."""
