"""Files that commands and workers write on this machine."""
