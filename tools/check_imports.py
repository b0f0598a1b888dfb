"""Hold the import contracts of pyproject.toml: `python -m tools.check_imports`.

The same as running `lint-imports` in the project folder, without its cache (a stale one must not hide an
import) and without needing its script on the PATH. The package is looked up where Python finds it, which
in .venv is src/.
"""

from __future__ import annotations

import sys

from importlinter.cli import lint_imports

if __name__ == "__main__":
    sys.exit(lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True))
