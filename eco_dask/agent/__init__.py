"""What runs on a contributed machine: the agent (key, link, limits) and the runner (tasks)."""
