"""Where the answers of commands come from: a repository on disk, or a service over HTTP."""
