"""`python -m feeds`: the `feedwright` command."""

from feeds.cli import main

if __name__ == "__main__":
    main()
