"""The provider protocol without I/O: messages, frames, values in parts, the order of talk."""
