"""Where in the request are the credentials?"""
