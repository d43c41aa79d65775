"""The books: who owes whom how many points, and a receipt for every attempt."""
