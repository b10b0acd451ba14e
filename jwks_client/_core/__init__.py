"""The rules: everything is decided here and nothing is done.

No module below this package opens a socket, takes a lock, reads a clock, writes a log or draws a
random number. Time is an argument (``now``), and so is chance (``draw``).
"""
