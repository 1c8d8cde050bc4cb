"""What the simulated vendors remember from one run to the next, as real ones do."""

import pickle
from pathlib import Path
from typing import Any

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
        return {name: _completed(held) for name, held in vendors.items()}
    except (OSError, pickle.UnpicklingError, AttributeError, EOFError, ImportError, TypeError):
        return None


def _completed(held: vendor.Vendor) -> vendor.Vendor:
    """Add the attributes that an earlier version did not have, with their initial values; everything else stays."""
    make: Any = type(held)
    fresh = make(vars(held)["_options"])
    for name, initial in vars(fresh).items():
        kept = vars(held).setdefault(name, initial)
        if type(kept) is type(initial) and hasattr(kept, "__dict__"):
            for inner, value in vars(initial).items():
                vars(kept).setdefault(inner, value)
    return held
