package media

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestALegMayHaveAMarkOfItsOwn(t *testing.T) {
	e, err := New(Config{PortMin: 21100, PortMax: 21109})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	g, err := e.Open(LegConfig{DSCP: 34})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, s := range []*socket{g.ports.rtp, g.ports.rtcp} {
		if got, err := unix.GetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_TOS); err != nil || got>>2 != 34 {
			t.Errorf("port %d: %d, %v", s.port, got>>2, err)
		}
	}
}

func TestAudioPacketsCarryTheirMark(t *testing.T) {
	for _, c := range []struct {
		name       string
		dscp, want int
	}{{"EF unless told otherwise", 0, 46}, {"another", 34, 34}, {"none", -1, 0}} {
		t.Run(c.name, func(t *testing.T) {
			e, err := New(Config{PortMin: 21100, PortMax: 21109, DSCP: c.dscp})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = e.Close() }()
			p, err := e.sockets.open(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			defer e.sockets.close(p, time.Now())
			for _, s := range []*socket{p.rtp, p.rtcp} {
				if got, err := unix.GetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_TOS); err != nil || got>>2 != c.want {
					t.Errorf("port %d: %d, %v; want %d", s.port, got>>2, err, c.want)
				}
			}
		})
	}
}
