"""The static table of prices is made current here: `make prices`."""
