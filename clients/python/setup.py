"""Makes the stubs when the package is built; everything else is in pyproject.toml."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent

# An sdist brings its stubs along and has no protos beside it.
if (HERE.parent.parent / "protos" / "embeddings").is_dir():
    subprocess.run([sys.executable, str(HERE / "generate.py")], check=True)


def at_least(package: str, floor: str) -> str:
    """A requirement of what the stubs were made with, or of `floor` where that is not installed."""
    try:
        return f"{package}>={version(package)}"
    except PackageNotFoundError:
        return f"{package}>={floor}"


setup(install_requires=[at_least("grpcio", "1.49"), at_least("protobuf", "4.21"), "numpy>=1.21"])
