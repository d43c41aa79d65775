"""What people see of the network: one view model, and the screens and interfaces that show it."""
