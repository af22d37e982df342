"""`python -m fusible`: the command line."""

from fusible.apps.cli import main

if __name__ == "__main__":
    main()
