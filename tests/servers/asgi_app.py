"""The ASGI app, as a name in a module."""

from served import Asgi

application = Asgi()
