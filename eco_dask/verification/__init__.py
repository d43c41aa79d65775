"""What answers to one task prove: commitments, quorum, policies. Pure."""
