"""What the shells need of the world: a Protocol per external system, which adapters implement. Fakes stand here only."""
