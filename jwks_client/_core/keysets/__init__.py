"""Which key?"""
