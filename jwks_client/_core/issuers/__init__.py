"""Which issuer does the token belong to?"""
