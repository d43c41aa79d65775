"""Providers that misbehave, for tests and demonstrations: faults as tables."""
