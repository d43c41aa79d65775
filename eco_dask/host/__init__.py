"""The owner comes first: when a machine may work for others, and how its state is seen."""
