"""The steps before and after segments that the laptop and the cluster share: inputs, probing, dispatch, the end."""
