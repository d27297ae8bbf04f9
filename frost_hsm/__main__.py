"""``python -m frost_hsm``: the command line, wherever it is not on the path."""

from frost_hsm.cli import main

if __name__ == "__main__":
    main()
