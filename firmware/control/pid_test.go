package control

import (
	"net"
	"os"
	"testing"
)

func TestProntodIsFoundByItsSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "ctl") // short: the path of a unix socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if pid, err := PID(dir); err == nil {
		t.Errorf("nobody listens, and it is process %d", pid)
	}
	if err := os.Mkdir(dir+"/run", 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if pid, err := PID(dir); err != nil || pid != os.Getpid() {
		t.Errorf("process %d, want %d: %v", pid, os.Getpid(), err)
	}
}
