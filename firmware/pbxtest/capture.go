package pbxtest

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// Capture listens to the loopback interface itself, for programs that cannot write down what they hear.
type Capture struct {
	fd   int
	to   netip.Addr
	quit chan struct{}
	read sync.WaitGroup

	mu    sync.Mutex // guards heard
	heard []int16
}

// Capture collects the G.711 A-law that is sent to an address of the loopback network, until the test
// ends. It needs the right to open a packet socket.
func (o *Office) Capture(to netip.Addr) *Capture {
	o.t.Helper()
	all := uint16(unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8) // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		leaveOut(o.t, "loopback cannot be listened to (needs CAP_NET_RAW): "+err.Error())
	}
	c := &Capture{fd: fd, to: to, quit: make(chan struct{})}
	o.t.Cleanup(c.close)
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: 1}); err != nil { // 1 is always lo
		o.t.Fatal(err)
	}
	// A read that ends by itself, so that close is seen.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50000}); err != nil {
		o.t.Fatal(err)
	}
	c.read.Go(c.listen)
	return c
}

// leaveOut skips a test that this machine cannot run; in CI that is a failure.
func leaveOut(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("left out: " + why)
}

func (c *Capture) close() {
	close(c.quit)
	c.read.Wait()
	_ = unix.Close(c.fd)
}

func (c *Capture) listen() {
	coder := tone.NewCoder(tone.ALaw)
	buf := make([]byte, 65536)
	for {
		select {
		case <-c.quit:
			return
		default:
		}
		n, from, err := unix.Recvfrom(c.fd, buf, 0)
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); err != nil || !ok || ll.Pkttype == unix.PACKET_OUTGOING {
			continue // loopback shows each packet twice
		}
		if payload, to, ok := udp(buf[:n]); ok && to == c.to {
			var p rtp.Packet
			if p.Unmarshal(payload) == nil && p.Version == 2 && p.PayloadType == uint8(tone.ALaw) {
				c.mu.Lock()
				c.heard = coder.Decode(c.heard, p.Payload)
				c.mu.Unlock()
			}
		}
	}
}

// udp takes an IPv4 packet apart.
func udp(b []byte) (payload []byte, to netip.Addr, ok bool) {
	if len(b) < 20 || b[0]>>4 != 4 || b[9] != unix.IPPROTO_UDP {
		return nil, to, false
	}
	head := int(b[0]&15) * 4
	total := min(int(binary.BigEndian.Uint16(b[2:])), len(b))
	if head < 20 || total < head+8 {
		return nil, to, false
	}
	return b[head+8 : total], netip.AddrFrom4([4]byte(b[16:20])), true
}

// Heard is what was sent there in the last d.
func (c *Capture) Heard(d time.Duration) []int16 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]int16(nil), tone.Tail(c.heard, int(d.Seconds()*tone.Rate), 0)...)
}
