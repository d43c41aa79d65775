"""The engine: events in, actions out. It decides who computes what, and what is believed."""
