"""The rules: this package makes every decision and has no side effects.

No module in it opens a socket, takes a lock, reads a clock, writes a log or draws a random number.
Time is an argument (``now``), and so is chance (``draw``).
"""
