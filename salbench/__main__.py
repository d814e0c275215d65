"""`python -m salbench`."""

from salbench.cli import run

if __name__ == "__main__":
    run()
