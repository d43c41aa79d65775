"""Recruiters: who may submit work, by certificates that this coordinator's own authority signs."""
