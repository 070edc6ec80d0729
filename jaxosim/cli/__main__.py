"""`python -m jaxosim.cli`."""

from jaxosim.cli.main import main

if __name__ == "__main__":
    main()
