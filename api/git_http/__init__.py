"""Git's smart HTTP protocol: clones, fetches and pushes. Knows no REST."""
