package media

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestThePoolHoldsEvenPortsWhoseOddNeighbourIsInRange(t *testing.T) {
	for _, c := range []struct {
		first, last int
		want        []uint16
	}{
		{16384, 16389, []uint16{16384, 16386, 16388}},
		{16385, 16388, []uint16{16386}},
		{65534, 65535, []uint16{65534}},
	} {
		p, err := newPortPool(c.first, c.last, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Sorted(slices.Values(p.free))
		if !slices.Equal(got, c.want) {
			t.Errorf("%d-%d: got %v, want %v", c.first, c.last, got, c.want)
		}
	}
	for _, c := range [][2]int{{0, 10}, {10, 70000}, {20, 10}, {11, 12}} {
		if _, err := newPortPool(c[0], c[1], 0); err == nil {
			t.Errorf("range %v was accepted", c)
		}
	}
}

func TestPortsComeInAnOrderThatCannotBeGuessed(t *testing.T) {
	p, err := newPortPool(16384, 24575, 0)
	if err != nil {
		t.Fatal(err)
	}
	if slices.IsSorted(p.free) {
		t.Fatal("4,096 ports came out in ascending order")
	}
}

func TestAReleasedPortRestsWhileOthersAreFree(t *testing.T) {
	now := time.Unix(1000, 0)
	p, err := newPortPool(20000, 20003, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := p.take(now)
	p.release(first, now)
	second, ok := p.take(now.Add(4999 * time.Millisecond))
	if !ok || second == first {
		t.Fatalf("while %d rests: %d, %v", first, second, ok)
	}
	if again, ok := p.take(now.Add(5 * time.Second)); !ok || again != first {
		t.Fatalf("after the rest: %d, %v", again, ok)
	}
}

func TestNoCallerIsTurnedAwayBecausePortsRest(t *testing.T) {
	now := time.Unix(1000, 0)
	p, err := newPortPool(20000, 20005, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var used []uint16
	for range 3 {
		port, _ := p.take(now)
		used = append(used, port)
	}
	if port, ok := p.take(now); ok {
		t.Fatalf("%d was handed out twice", port)
	}
	p.release(used[1], now)
	p.release(used[0], now.Add(time.Second))
	for _, want := range []uint16{used[1], used[0]} { // the longest rest first
		if port, ok := p.take(now.Add(2 * time.Second)); !ok || port != want {
			t.Fatalf("got %d, %v, want %d", port, ok, want)
		}
	}
}

func testSockets(t *testing.T, first, last int, keeper SocketKeeper) *sockets {
	t.Helper()
	pool, err := newPortPool(first, last, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &sockets{bind: netip.MustParseAddr("127.0.0.31"), ports: pool, keeper: keeper}
}

func TestAPortThatAnotherProgramHoldsIsSkipped(t *testing.T) {
	for _, held := range []string{"127.0.0.31:21000", "127.0.0.31:21003"} {
		other, err := net.ListenPacket("udp4", held)
		if err != nil {
			t.Fatal(err)
		}
		s := testSockets(t, 21000, 21003, nil)
		p, err := s.open(time.Now())
		if err != nil {
			t.Fatalf("%s held: %v", held, err)
		}
		if heldPair := other.LocalAddr().(*net.UDPAddr).Port &^ 1; int(p.rtp.port) == heldPair {
			t.Errorf("got the pair %d although %s is held", p.rtp.port, held)
		}
		if p.rtcp.port != p.rtp.port+1 {
			t.Errorf("RTCP port %d beside RTP port %d", p.rtcp.port, p.rtp.port)
		}
		if _, err := s.open(time.Now()); !errors.Is(err, ErrNoPorts) || !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("with every pair taken: %v", err)
		}
		s.close(p, time.Now())
		if s.ports.size() != 2 {
			t.Errorf("%d pairs in the pool at the end, want 2", s.ports.size())
		}
		_ = other.Close()
	}
}

// keepingFake keeps duplicates of descriptors as a supervisor does, within one process.
type keepingFake struct {
	files map[string]*os.File
	drops []string
}

func (k *keepingFake) Keep(name string, s syscall.Conn) error {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(old uintptr) { fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3) }); err != nil {
		return err
	}
	if dupErr != nil {
		return dupErr
	}
	if k.files == nil {
		k.files = map[string]*os.File{}
	}
	k.files[name] = os.NewFile(uintptr(fd), name)
	return nil
}

func (k *keepingFake) Take(name string) (*os.File, bool) {
	f, ok := k.files[name]
	delete(k.files, name)
	return f, ok
}

func (k *keepingFake) Drop(name string) {
	if f, ok := k.files[name]; ok {
		_ = f.Close()
		delete(k.files, name)
	}
	k.drops = append(k.drops, name)
}

func TestAKeptPairIsTakenBackWithoutWhatQueuedMeanwhile(t *testing.T) {
	keeper := &keepingFake{}
	s := testSockets(t, 21010, 21011, keeper)
	p, err := s.open(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.keep(p); err != nil {
		t.Fatal(err)
	}
	p.rtp.close() // the process dies; the supervisor's duplicates keep the ports
	p.rtcp.close()
	sender, err := net.Dial("udp4", "127.0.0.31:21010")
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	if _, err := sender.Write([]byte("stale")); err != nil {
		t.Fatal(err)
	}

	next := testSockets(t, 21010, 21011, keeper)
	p, err = next.reopen(21010, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(keeper.files) != 0 {
		t.Errorf("still kept: %v", keeper.files)
	}
	var from address
	buf := make([]byte, 16)
	if n, errno := p.rtp.receive(buf, &from); errno != unix.EAGAIN {
		t.Fatalf("stale packet of %d bytes was delivered (%v)", n, errno)
	}
	if _, err := sender.Write([]byte("fresh")); err != nil {
		t.Fatal(err)
	}
	n, errno := p.rtp.receive(buf, &from)
	if errno != 0 || string(buf[:n]) != "fresh" {
		t.Fatalf("got %q, %v", buf[:max(n, 0)], errno)
	}
	if want := sender.LocalAddr().String(); from.addrPort().String() != want {
		t.Errorf("source %v, want %v", from.addrPort(), want)
	}
	if err := next.keep(p); err != nil {
		t.Fatal(err)
	}
	next.close(p, time.Now())
	if want := []string{"rtp-21010", "rtcp-21011"}; !slices.Equal(keeper.drops, want) {
		t.Errorf("dropped %v, want %v", keeper.drops, want)
	}
}

func TestAKeptSocketOfAnotherPortIsNotBelieved(t *testing.T) {
	wrong, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 31)})
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	f, err := wrong.File()
	if err != nil {
		t.Fatal(err)
	}
	s := testSockets(t, 21020, 21021, &keepingFake{files: map[string]*os.File{"rtp-" + strconv.Itoa(21020): f}})
	p, err := s.open(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close(p, time.Now())
	local, err := unix.Getsockname(p.rtp.fd)
	if err != nil {
		t.Fatal(err)
	}
	if got := local.(*unix.SockaddrInet4).Port; got != 21020 {
		t.Errorf("bound to %d", got)
	}
}

func TestAnAddressSurvivesTheKernelLayout(t *testing.T) {
	for _, c := range []struct {
		family int
		in     string
		want   string // "" = not reachable by this socket
	}{
		{unix.AF_INET, "192.0.2.7:4000", "192.0.2.7:4000"},
		{unix.AF_INET, "[::ffff:192.0.2.7]:4000", "192.0.2.7:4000"},
		{unix.AF_INET, "[2001:db8::1]:4000", ""},
		{unix.AF_INET, "192.0.2.7:0", ""},
		{unix.AF_INET6, "[2001:db8::1]:4000", "[2001:db8::1]:4000"},
		{unix.AF_INET6, "192.0.2.7:4000", "192.0.2.7:4000"},
	} {
		s := &socket{family: c.family}
		a := s.address(netip.MustParseAddrPort(c.in))
		if c.want == "" {
			if a.set() {
				t.Errorf("%s became %v", c.in, a.addrPort())
			}
			continue
		}
		if got := a.addrPort().String(); got != c.want {
			t.Errorf("%s became %s, want %s", c.in, got, c.want)
		}
		b := s.address(netip.AddrPortFrom(a.addrPort().Addr(), 5))
		if a.same(&b) || !a.sameHost(&b) {
			t.Errorf("%s: another port compares as same=%v sameHost=%v", c.in, a.same(&b), a.sameHost(&b))
		}
	}
}
