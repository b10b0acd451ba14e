"""Is the token valid?"""
