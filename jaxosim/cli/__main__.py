"""The entry point of `jaxosim` and of `python -m jaxosim.cli`.

The commands take seconds to import; Ctrl-C is handled from the first line of `main` on, so also
then, and until the process has ended.
"""

from jaxosim.host import interrupts


def main() -> None:
    """Run the command line of the process and exit; Ctrl-C ends it in one line, at any moment."""
    interrupts.install()
    from jaxosim.cli import main as commands  # only now: this takes seconds

    commands.main()


if __name__ == "__main__":
    main()
