"""The live view of the network in a notebook, and in a terminal.

eco_dask.monitor(client) ──► widget.py (a kernel with anywidget) | terminal.py (text)
                              feed.py asks the scheduler; display/ says what is shown
"""
