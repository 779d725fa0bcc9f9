"""``python -m generators.health``: write ``data/day06_saas_metrics.db`` under the working directory."""

from __future__ import annotations

import sys

from generators.errors import GeneratorError
from generators.health import generate
from generators.health.core import DB_PATH
from generators.health.integrity import violations
from generators.health.stored import read
from generators.health.summary import summary


def main() -> int:
    """Generate, print the summary of what was written, and return 1 if a row breaks a rule, 2 on an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    print("Generating synthetic SaaS metrics data...")
    try:
        generate(DB_PATH)
        world = read(DB_PATH)
    except GeneratorError as error:
        print(error, file=sys.stderr)
        return 2
    print(summary(world, DB_PATH))
    return 1 if any(violations(world).values()) else 0


if __name__ == "__main__":
    sys.exit(main())
