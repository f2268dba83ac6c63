"""The command line: `videojob …`, also installed as a kubectl plugin. Thin: it reads options, calls, and shows."""
