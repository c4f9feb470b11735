"""The command line: every command takes a path or a shipped name; a user's mistake ends with status 2."""

from __future__ import annotations

import sys

from fxpsim.errors import UserError


def main() -> None:
    """Run the command line and exit: 0 success, 1 our failure, 2 a user's mistake, 130 interrupted."""
    from fxpsim.cli.app import app

    try:
        app()
    except UserError as error:
        print(f"fxpsim: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("fxpsim: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
