"""What people see of the network in a notebook or a terminal: plain values in, text or HTML out.

snapshot, cluster, job, report ──► show.py ──► templates (escaped) | text
"""
