#!/usr/bin/env python3
"""The health world's generator under its specification's name; the rows are made in ``generators.health.core``."""  # noqa: N999

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    runpy.run_module("generators.health", run_name="__main__")
