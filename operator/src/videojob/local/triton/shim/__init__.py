"""Files that are copied into a materialised model folder and run inside the server's Python stub, not here."""
