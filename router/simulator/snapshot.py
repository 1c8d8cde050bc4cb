"""What the simulated vendors remember from one run to the next, as real ones do."""

import pickle
from pathlib import Path

from router.simulator import vendor


def save(vendors: dict[str, vendor.Vendor], file: Path) -> None:
    """Write down everything that the vendors hold; a reader never sees half of it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(pickle.dumps(vendors))
    fresh.replace(file)


def load(file: Path) -> dict[str, vendor.Vendor] | None:
    """What the vendors held when it was last written down; None where there is nothing to be read."""
    try:
        vendors: dict[str, vendor.Vendor] = pickle.loads(file.read_bytes())  # noqa: S301 - the router's own data folder
    except (OSError, pickle.UnpicklingError, AttributeError, EOFError, ImportError, TypeError):
        return None
    return vendors
