"""Pages in Dask's own dashboard: plain columns, and a thin layer of Bokeh over them."""
