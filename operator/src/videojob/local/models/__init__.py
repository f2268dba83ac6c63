"""The model repository of this machine: building the weights that come with the project, adding models of one's own."""
