"""HTTP and the command line over gitstore: translate, never decide."""
