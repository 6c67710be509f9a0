"""Generates the stubs when the package is built. All other settings are in pyproject.toml."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent

# An sdist contains the stubs but not the protos.
if (HERE.parent.parent / "protos" / "embeddings").is_dir():
    subprocess.run([sys.executable, str(HERE / "generate.py")], check=True)


def at_least(package: str, floor: str) -> str:
    """Requires at least the installed version, which generated the stubs, or `floor` if none is installed."""
    try:
        return f"{package}>={version(package)}"
    except PackageNotFoundError:
        return f"{package}>={floor}"


setup(install_requires=[at_least("grpcio", "1.49"), at_least("protobuf", "4.21"), "numpy>=1.21"])
