"""Run the command as ``python -m jwks_client.cli``, if its script is not on the PATH."""

from . import main

if __name__ == "__main__":
    main()
