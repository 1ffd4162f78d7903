package keeper

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// notifySocket is a supervisor's ear.
func notifySocket(t *testing.T) (*net.UnixConn, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, path
}

func hear(t *testing.T, conn *net.UnixConn) (text string, fds []int) {
	t.Helper()
	buf, oob := make([]byte, 4096), make([]byte, 256)
	_ = conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	n, on, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:on])
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		got, err := unix.ParseUnixRights(&m)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, got...)
	}
	return string(buf[:n]), fds
}

func TestEachMessageIsWhatTheProtocolSays(t *testing.T) {
	ear, path := notifySocket(t)
	c, err := New(Env{NotifySocket: path, WatchdogUsec: "2000000"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.WatchdogEvery() != 2*time.Second {
		t.Errorf("watchdog every %v", c.WatchdogEvery())
	}
	drop := func() error { c.Drop("sip-udp-[::1]:5060"); return nil }
	status := func() error { return c.Status("two\nlines") }
	for _, tc := range []struct {
		say  func() error
		want string
	}{
		{c.Ready, "READY=1\n"},
		{c.Alive, "WATCHDOG=1\n"},
		{c.Stopping, "STOPPING=1\n"},
		{status, "STATUS=two lines\n"},
		{drop, "FDSTOREREMOVE=1\nFDNAME=sip-udp-[%3A%3A1]%3A5060\n"},
	} {
		if err := tc.say(); err != nil {
			t.Fatal(err)
		}
		if got, _ := hear(t, ear); got != tc.want {
			t.Errorf("said %q, want %q", got, tc.want)
		}
	}
}

func TestAKeptSocketIsTheSameSocket(t *testing.T) {
	ear, path := notifySocket(t)
	c, err := New(Env{NotifySocket: path})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Keep("rtp-16384", udp); err != nil {
		t.Fatal(err)
	}
	text, fds := hear(t, ear)
	if text != "FDSTORE=1\nFDNAME=rtp-16384\nFDPOLL=0\n" || len(fds) != 1 {
		t.Fatalf("said %q with %d descriptors", text, len(fds))
	}
	addr := udp.LocalAddr()
	_ = udp.Close()
	f := os.NewFile(uintptr(fds[0]), "kept")
	kept, err := net.FilePacketConn(f)
	_ = f.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if kept.LocalAddr().String() != addr.String() {
		t.Fatalf("kept %v, handed over %v", kept.LocalAddr(), addr)
	}
}

func TestDescriptorsAreTakenOnlyWhenMeantForThisProcess(t *testing.T) {
	for name, env := range map[string]Env{
		"another process": {ListenPID: "1", ListenPPID: "1", ListenFDs: "1000", ListenFDNames: "a"},
		"nobody":          {ListenFDs: "1000"},
	} {
		c, err := New(env)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if left := c.Untaken(); len(left) != 0 {
			t.Errorf("%s: took %v", name, left)
		}
		_ = c.Close()
	}
	for _, n := range []string{"-1", "many", "99999999999"} {
		if _, err := New(Env{ListenPID: strconv.Itoa(os.Getpid()), ListenFDs: n}); err == nil || !strings.Contains(err.Error(), "LISTEN_FDS") {
			t.Errorf("LISTEN_FDS=%s: %v", n, err)
		}
	}
}

func TestWithoutASupervisorNothingHappensAndNothingFails(t *testing.T) {
	c, err := New(Env{})
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if _, ok := c.Take("sip-udp-x"); ok {
		t.Error("something was kept by nobody")
	}
	if err := c.Keep("rtp-1", udp); err != nil {
		t.Error(err)
	}
	c.Drop("rtp-1")
	if err := c.Ready(); err != nil {
		t.Error(err)
	}
	if err := c.Keep("", udp); err == nil {
		t.Error("a socket without a name was kept")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestAMissingSupervisorIsAnErrorInWords(t *testing.T) {
	if _, err := New(Env{NotifySocket: filepath.Join(t.TempDir(), "gone")}); err == nil || !strings.HasPrefix(err.Error(), "connect to the supervisor:") {
		t.Fatalf("got %v", err)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("sip-conn-127.0.0.1:5060-10.0.0.1:40000")
	f.Add("100%:\n\x00è")
	f.Add("%3A%")
	f.Fuzz(func(t *testing.T, name string) {
		e := Escape(name)
		if strings.ContainsAny(e, ":\n ") {
			t.Fatalf("%q escaped to %q", name, e)
		}
		if back := Unescape(e); back != name {
			t.Fatalf("%q came back as %q", name, back)
		}
		Unescape(name)
	})
}
