package embeddings

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	pb "embeddings/client/gen/embeddings/v1"
)

// Ends a stream that is idle for half a second, without trailers.
const proxyConfiguration = `
defaults
  mode http
  timeout connect 5s
  timeout client 500ms
  timeout server 500ms
listen embeddings
  bind fd@3 proto h2
  server embeddings %s proto h2
`

// behindProxy starts HAProxy in front of a server and connects to it.
func behindProxy(t *testing.T, server string) *grpc.ClientConn {
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		// Not on the PATH of every user.
		if haproxy, err = exec.LookPath("/usr/sbin/haproxy"); err != nil {
			t.Skip("haproxy is not installed")
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	// The proxy inherits the socket, which queues connections until the proxy is ready.
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	configuration := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(configuration, []byte(fmt.Sprintf(proxyConfiguration, server)), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := exec.Command(haproxy, "-db", "-q", "-f", configuration)
	proxy.ExtraFiles = []*os.File{socket}
	proxy.Stderr = os.Stderr
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	connection, err := Dial(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		connection.Close()
		_ = proxy.Process.Kill()
		_ = proxy.Wait()
	})
	return connection
}

func TestASourceThatPausesLongerThanTheProxyWaitsLosesNoItem(t *testing.T) {
	var calls atomic.Int64
	server := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error {
		calls.Add(1)
		return echo(stream)
	})
	read := 0
	items := source(30, 100, &read)
	next := func(ctx context.Context) (*pb.StreamIngestRequest, error) {
		if read%10 == 5 {
			time.Sleep(1200 * time.Millisecond)
		}
		return items(ctx)
	}
	ids, err := run(behindProxy(t, address(server)), next, Options{Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	checkAll(t, ids, 30)
	if calls.Load() < 2 {
		t.Fatal("the proxy did not end the stream")
	}
}

func TestItemsWithoutAnAnswerWhenTheProxyEndsTheStreamAreSentAgain(t *testing.T) {
	var calls atomic.Int64
	server := against(t, func(number int, stream pb.IngestService_StreamIngestServer) error {
		calls.Add(1)
		answered := 0
		return each(stream, func(message *pb.StreamIngestRequest) error {
			for _, item := range itemsOf(message) {
				if number < 2 && answered == 7 {
					<-stream.Context().Done()
					return nil
				}
				answered++
				_ = stream.Send(ack(item.GetItemId()))
			}
			return nil
		})
	})
	read := 0
	ids, err := run(behindProxy(t, address(server)), source(20, 100, &read), Options{Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	checkAll(t, ids, 20)
	if calls.Load() != 3 {
		t.Fatalf("%d calls", calls.Load())
	}
}

// address returns the host and port of a connection.
func address(connection *grpc.ClientConn) string {
	return strings.TrimPrefix(connection.Target(), "dns:///")
}
