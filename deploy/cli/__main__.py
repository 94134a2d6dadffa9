"""`python -m deploy.cli` is `shopmeter`: how the stack starts its own processes, whatever is on PATH."""

from deploy.cli.app import main

if __name__ == "__main__":
    main()
