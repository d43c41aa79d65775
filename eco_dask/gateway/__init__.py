"""The gateway: an ordinary Dask worker whose executor is the provider network."""
