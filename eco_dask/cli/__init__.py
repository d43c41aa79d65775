"""Command lines in Dask's style: ``eco-dask``, ``eco-dask-scheduler`` and the others."""
