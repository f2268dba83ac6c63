"""What every process of ours does for itself: how it ends, and how it logs."""
