#!/bin/sh
# Interop commands for Java: have, build, test ADDRESS, run ADDRESS JPEG VECTORS, secure ADDRESS FOLDER.
# Builds offline with Debian's JAR files. On other systems, use pom.xml (see README.md).
cd "$(dirname -- "$0")/.." || exit 1
export PATH="$PATH:/usr/sbin"
jars=/usr/share/java
needed="grpc-api grpc-context grpc-core grpc-netty grpc-protobuf grpc-protobuf-lite grpc-stub protobuf guava perfmark-api geronimo-annotation-1.3-spec
  netty-buffer netty-codec netty-codec-http netty-codec-http2 netty-common netty-handler netty-resolver netty-transport netty-tcnative"
path=build/classes
for jar in $needed; do
  path=$path:$jars/$jar.jar
done

# Debian's Netty cannot negotiate HTTP/2 over TLS with the Java runtime, but with OpenSSL, through this library.
library=$(ls /usr/lib/*/jni/libnetty-tcnative.so 2>/dev/null)

verb=$1
shift
case $verb in
  have)
    for tool in java javac protoc grpc_java_plugin haproxy; do
      command -v $tool >/dev/null || { echo "$tool is missing"; exit 1; }
    done
    for jar in $needed; do
      [ -f "$jars/$jar.jar" ] || { echo "$jars/$jar.jar is missing"; exit 1; }
    done
    [ -n "$library" ] || { echo "Debian's libnetty-tcnative-jni is missing"; exit 1; }
    ;;
  build)
    rm -rf build && mkdir -p build/stubs build/classes build/native || exit 1
    # Netty looks for the library under another name than Debian's.
    cp "$library" build/native/libnetty_tcnative.so || exit 1
    plugin=--plugin=protoc-gen-grpc-java=$(command -v grpc_java_plugin)
    protoc -I ../../protos --java_out=build/stubs "$plugin" --grpc-java_out=build/stubs ../../protos/embeddings/v1/*.proto || exit 1
    protoc -I ../protos --java_out=build/stubs "$plugin" --grpc-java_out=build/stubs embeddings_status.proto grpc/health/v1/health.proto || exit 1
    find build/stubs src -name '*.java' > build/sources
    javac --release 11 -nowarn -encoding UTF-8 -cp "$path" -d build/classes @build/sources
    ;;
  test) java -Djava.library.path=build/native -cp "$path" io.embeddings.client.SecurityTest && java -cp "$path" io.embeddings.client.ExchangeTest && java -cp "$path" io.embeddings.client.ProxyTest && java -cp "$path" io.embeddings.examples.BulkIngest ../testdata "$1" ;;
  run) java -cp "$path" io.embeddings.interop.Interop "$@" ;;
  secure) java -Djava.library.path=build/native -cp "$path" io.embeddings.interop.Interop secure "$@" ;;
esac
