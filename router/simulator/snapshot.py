"""Saves the state of the simulated vendors between runs."""

import pickle
from pathlib import Path
from typing import Any

from router.simulator import vendor


def save(vendors: dict[str, vendor.Vendor], file: Path) -> None:
    """Save the vendors' state. The file is replaced atomically."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    # The messages and incidents are the user's own data. The file must be private before it has content.
    fresh.touch(mode=0o600)
    fresh.write_bytes(pickle.dumps(vendors))
    fresh.replace(file)


def load(file: Path) -> dict[str, vendor.Vendor] | None:
    """Return the vendors with their last saved state; None if there is no readable file."""
    try:
        vendors: dict[str, vendor.Vendor] = pickle.loads(file.read_bytes())  # noqa: S301 - the router's own data folder
        return {name: _complete(simulated_vendor) for name, simulated_vendor in vendors.items()}
    # A snapshot of another version may name classes that no longer exist. The simulator then starts with empty vendors.
    except (OSError, pickle.UnpicklingError, AttributeError, EOFError, ImportError, TypeError):
        return None


def _complete(simulated_vendor: vendor.Vendor) -> vendor.Vendor:
    """Add attributes that an earlier version didn't have, with their initial values. All other attributes stay."""
    make: Any = type(simulated_vendor)
    # Pickle restores attributes without calling `__init__`, so attributes added since then are missing.
    fresh = make(vars(simulated_vendor)["_options"])
    for name, initial in vars(fresh).items():
        member = vars(simulated_vendor).setdefault(name, initial)
        # The vendor's state is a nested object, which may lack attributes for the same reason.
        if type(member) is type(initial) and hasattr(member, "__dict__"):
            for inner, value in vars(initial).items():
                vars(member).setdefault(inner, value)
    return simulated_vendor
