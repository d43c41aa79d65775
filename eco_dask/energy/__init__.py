"""Energy: metered where possible, modelled where not, always labelled with its source."""
