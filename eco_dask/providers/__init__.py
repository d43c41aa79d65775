"""Who provides: identities, invites, what a machine can do, and who is enrolled."""
