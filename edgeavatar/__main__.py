"""``python -m edgeavatar`` is ``edgeavatar``."""

from __future__ import annotations

from edgeavatar.cli import main

if __name__ == "__main__":
    main()
