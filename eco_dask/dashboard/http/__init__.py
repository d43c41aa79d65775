"""The HTTP API of a coordinator, on Dask's own HTTP server under ``/eco/api/v1``."""
