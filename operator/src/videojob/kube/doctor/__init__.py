"""What `videojob doctor` concludes from what was read: facts in, findings out. PURE."""
