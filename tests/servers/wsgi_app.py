"""The WSGI app, as a name in a module."""

from served import Wsgi

application = Wsgi()
