"""Programs that the chart and the controller start, not people."""
