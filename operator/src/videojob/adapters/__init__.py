"""A folder for each system outside this program; each implements a Protocol of `videojob.ports`."""
