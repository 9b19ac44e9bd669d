"""`python -m pipeline.cli` is `cdr`."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
