"""Generates the stubs when the package is built. All other settings are in pyproject.toml."""

import re
import subprocess
import sys
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent
STUBS = HERE / "embeddings_client" / "stubs" / "embeddings" / "v1"

# An sdist contains the stubs but not the protos.
if (HERE.parent.parent / "protos" / "embeddings").is_dir():
    subprocess.run([sys.executable, str(HERE / "generate.py")], check=True)


def at_least(package: str, stub: str, marker: str, floor: str) -> str:
    """Requires the version that a stub says it was generated for, or `floor` if it does not say."""
    found = re.search(marker, (STUBS / stub).read_text(encoding="utf-8"))
    return f"{package}>={found[1] if found else floor}"


setup(
    install_requires=[
        at_least("grpcio", "embedding_service_pb2_grpc.py", r"GRPC_GENERATED_VERSION = '([\d.]+)'", "1.49"),
        at_least("protobuf", "embedding_service_pb2.py", r"Protobuf Python Version: ([\d.]+)", "4.21"),
    ]
)
