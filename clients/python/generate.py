#!/usr/bin/env python3
"""Makes embeddings_client/stubs from the repository's protos.

Uses `protoc` with `grpc_python_plugin` where they are installed (Debian: protobuf-compiler, protobuf-compiler-grpc), else `grpc_tools`.
Debian 12's own grpc_tools is too old for proto3 `optional`.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROTOS = HERE.parent.parent / "protos"
CLIENT_PROTOS = HERE.parent / "protos"
STUBS = HERE / "embeddings_client" / "stubs"


def compiler() -> list[str]:
    """The command that compiles protos, without its arguments."""
    plugin = shutil.which("grpc_python_plugin")
    if shutil.which("protoc") and plugin:
        return ["protoc", f"--plugin=protoc-gen-grpc_python={plugin}"]
    return [sys.executable, "-m", "grpc_tools.protoc"]


def main() -> None:
    shutil.rmtree(STUBS, ignore_errors=True)
    STUBS.mkdir(parents=True)
    files = sorted(str(file.relative_to(PROTOS)) for file in PROTOS.rglob("*.proto"))
    outputs = [f"--python_out={STUBS}", f"--pyi_out={STUBS}", f"--grpc_python_out={STUBS}"]
    subprocess.run([*compiler(), f"-I{PROTOS}", *outputs, *files], check=True)
    # Messages only: this one has no service.
    subprocess.run([*compiler(), f"-I{CLIENT_PROTOS}", *outputs[:2], "embeddings_status.proto"], check=True)

    # protoc imports from the top; within the package the stubs stay out of the way of any other package called `embeddings`.
    for file in [*STUBS.rglob("*.py"), *STUBS.rglob("*.pyi")]:
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r"^from embeddings\.v1 import", "from embeddings_client.stubs.embeddings.v1 import", text, flags=re.M), encoding="utf-8")
    for folder in [STUBS, STUBS / "embeddings", STUBS / "embeddings" / "v1"]:
        (folder / "__init__.py").write_text('"""Made by generate.py; not edited."""\n', encoding="utf-8")
    print(f"{STUBS.relative_to(HERE)}: made from {len(files)} protos")


if __name__ == "__main__":
    main()
