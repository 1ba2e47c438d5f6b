"""``python -m sagelocal``."""

from sagelocal.cli import main

if __name__ == "__main__":
    main()
