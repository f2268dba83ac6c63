"""What the shells need of the world: a Protocol per external system. Adapters implement them; fakes stand here only."""
