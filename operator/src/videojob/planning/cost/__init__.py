"""What capacity and its small companions cost: prices with their source and age, and sums of them."""
