"""Command lines, in Dask's style: ``eco-dask``, ``eco-dask-scheduler``, ``-gateway``, ``-worker``."""
