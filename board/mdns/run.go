package mdns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// port and group are where everybody listens.
const port = 5353

var group = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: port}

// Responder answers for the names of a box.
type Responder struct {
	log   *slog.Logger
	names []Name
	offer Service // without a kind: none

	mu   sync.Mutex
	name string // of the interface
	use  netip.Prefix
	poke chan struct{}
}

// New prepares a Responder for names.
func New(log *slog.Logger, names ...Name) *Responder {
	return &Responder{log: log, names: names, poke: make(chan struct{}, 1)}
}

// Offer has the responder list a service on the host that has its first name. It is called before Run.
func (r *Responder) Offer(s Service) { r.offer = s }

// Use tells that the interface has this address from now on; an invalid one, that it has none.
func (r *Responder) Use(iface string, address netip.Prefix) {
	r.mu.Lock()
	r.name, r.use = iface, address
	r.mu.Unlock()
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

func (r *Responder) current() (string, netip.Prefix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.name, r.use
}

// packet is one that came.
type packet struct {
	from netip.AddrPort
	body []byte
}

// voice is the socket on one interface.
type voice struct {
	ifi    *net.Interface
	conn   *ipv4.PacketConn
	raw    net.PacketConn
	read   sync.WaitGroup
	in     chan packet
	closed chan struct{}
}

// answerEvery is how often a name is said to everybody at most (RFC 6762 section 6).
const answerEvery = time.Second

// Run answers until ctx ends, and says goodbye then.
func (r *Responder) Run(ctx context.Context) {
	s := begin(r.names)
	var v *voice
	var network netip.Prefix
	last := map[string]time.Time{}
	timer, o := stopped(), &offered{Service: r.offer, timer: stopped()}
	defer timer.Stop()
	defer o.timer.Stop()
	do := func(e event) {
		now := time.Now()
		was := s
		var effects []effect
		s, effects = next(s, now, rand.N(probeEvery), e)
		for _, f := range effects {
			switch f := f.(type) {
			case probe:
				v.say(r.log)(probeOf(f.label, v.all(s.addr)))
			case announce:
				if _, question := e.(asked); question && now.Sub(last[f.label]) < answerEvery {
					continue
				}
				last[f.label] = now
				v.say(r.log)(answerOf(f.label, v.all(s.addr), ttl))
				if _, question := e.(asked); !question && o.Kind != "" && f.label == s.claims[0].label {
					v.say(r.log)(o.answer(pointer, f.label, v.all(s.addr), false))
				}
			case goodbye:
				v.say(r.log)(answerOf(f.label, v.all(f.addr), 0))
				if o.Kind != "" && f.label == was.claims[0].label {
					v.say(r.log)(o.answer(pointer, f.label, nil, true))
				}
			case wake:
				timer.Reset(time.Until(f.at))
			case told:
				r.log.Info("name in the network", "name", f.label+".local", "is", f.what, "address", was.addr)
			}
		}
	}
	change := func(iface string, use netip.Prefix) {
		do(addressed{}) // goodbye on the old interface
		v.end()
		v = nil
		if network = use; !use.IsValid() {
			return
		}
		var err error
		if v, err = speak(iface); err != nil {
			r.log.Error("the box has no name in the network", "err", err)
			return
		}
		do(addressed{use.Addr()})
	}
	defer func() { do(addressed{}); v.end() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.poke:
			change(r.current())
		case <-timer.C:
			do(clock{})
		case <-o.timer.C:
			for _, what := range o.want {
				o.last[what] = time.Now()
				if host := s.claims[0]; host.phase == claimed {
					v.say(r.log)(o.answer(what, host.label, v.all(s.addr), false))
				}
			}
			o.want = nil
		case p := <-v.heard():
			r.take(p, network, v, &s, o, do)
		}
	}
}

// take acts on one packet. Only who is in the network of the interface is heard (section 11).
func (r *Responder) take(p packet, network netip.Prefix, v *voice, s *state, o *offered, do func(event)) {
	if !network.Contains(p.from.Addr()) {
		return
	}
	m, err := read(p.body)
	if err != nil {
		r.log.Debug("not understood", "from", p.from, "err", err)
		return
	}
	for _, h := range m.records {
		if m.response || h.probe {
			do(h)
		}
	}
	if m.response {
		return
	}
	for _, q := range m.questions {
		if p.from.Port() != port {
			if s.owns(q.label) {
				v.tell(r.log, p.from)(legacyAnswer(m.id, q, v.all(s.addr)))
			}
			continue
		}
		if q.alone && s.owns(q.label) && len(m.records) == 0 {
			v.tell(r.log, p.from)(answerOf(q.label, v.all(s.addr), ttl))
			continue
		}
		do(asked{q.label})
	}
	host := s.claims[0]
	for _, q := range m.services {
		switch what := o.asked(q); {
		case host.phase != claimed || what == nothing || o.knows(m.known, what) || p.from.Port() != port:
		case q.alone:
			v.tell(r.log, p.from)(o.answer(what, host.label, v.all(s.addr), false))
		default:
			o.hold(what, time.Now(), waitLeast+rand.N(waitRange))
		}
	}
}

func stopped() *time.Timer {
	t := time.NewTimer(0)
	<-t.C
	return t
}

func (s *state) owns(label string) bool {
	for _, c := range s.claims {
		if c.phase == claimed && c.label == label {
			return true
		}
	}
	return false
}

// speak opens the socket on an interface.
func speak(iface string) (*voice, error) {
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, fmt.Errorf("mDNS: %w", err)
	}
	// Others on this machine may listen too, as they do on a developer's.
	listen := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
		})
		return errors.Join(err, failed)
	}}
	raw, err := listen.ListenPacket(context.Background(), "udp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return nil, fmt.Errorf("mDNS: %w", err)
	}
	conn := ipv4.NewPacketConn(raw)
	err = errors.Join(conn.JoinGroup(ifi, group), conn.SetMulticastInterface(ifi), conn.SetMulticastTTL(255), conn.SetTTL(255),
		conn.SetMulticastLoopback(false), conn.SetControlMessage(ipv4.FlagInterface, true))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mDNS on %s: %w", iface, err), raw.Close())
	}
	v := &voice{ifi: ifi, conn: conn, raw: raw, in: make(chan packet), closed: make(chan struct{})}
	v.read.Go(func() { v.listen(ifi.Index) })
	return v, nil
}

func (v *voice) listen(index int) {
	b := make([]byte, 9000) // section 17
	for {
		n, cm, from, err := v.conn.ReadFrom(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		at, ok := from.(*net.UDPAddr)
		if err != nil || !ok || cm == nil || cm.IfIndex != index {
			continue
		}
		from4 := at.AddrPort()
		p := packet{netip.AddrPortFrom(from4.Addr().Unmap(), from4.Port()), append([]byte{}, b[:n]...)}
		select {
		case v.in <- p:
		case <-v.closed:
			return
		}
	}
}

// all lists what a name stands for: the IPv4 address, and what IPv6 the interface has at this moment.
func (v *voice) all(four netip.Addr) []netip.Addr {
	addrs := []netip.Addr{four}
	if v == nil {
		return addrs
	}
	have, err := v.ifi.Addrs()
	if err != nil {
		return addrs
	}
	for _, h := range have {
		if p, err := netip.ParsePrefix(h.String()); err == nil && p.Addr().Is6() && !p.Addr().IsLoopback() {
			addrs = append(addrs, p.Addr())
		}
	}
	return addrs
}

// heard is nil, and so blocks for ever, where nothing is open.
func (v *voice) heard() <-chan packet {
	if v == nil {
		return nil
	}
	return v.in
}

// say sends a packet to everybody.
func (v *voice) say(log *slog.Logger) func([]byte, error) {
	return v.tell(log, netip.AddrPortFrom(netip.AddrFrom4([4]byte(group.IP.To4())), port))
}

func (v *voice) tell(log *slog.Logger, to netip.AddrPort) func([]byte, error) {
	return func(b []byte, err error) {
		if v == nil {
			return
		}
		if err == nil {
			_, err = v.conn.WriteTo(b, nil, net.UDPAddrFromAddrPort(to))
		}
		if err != nil {
			log.Debug("not said", "to", to, "err", err)
		}
	}
}

func (v *voice) end() {
	if v == nil {
		return
	}
	close(v.closed)
	_ = v.raw.Close()
	v.read.Wait()
}
