package selfcall

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Account is for whom the exchange lets a call in, and where.
type Account struct {
	Address  netip.AddrPort `json:"address"` // of SIP over UDP
	Media    netip.Addr     `json:"media"`   // where audio is taken, whatever the session descriptions say
	User     string         `json:"user"`
	Password string         `json:"password"`
	Number   string         `json:"number"` // of the echo
}

// Patience of a call. The exchange is on the same machine, so each is generous; the kernel of a board that has just
// started may be busy all the same.
const (
	answerWithin = 10 * time.Second
	listenFor    = 5 * time.Second
	byeWithin    = 5 * time.Second
	t1           = 500 * time.Millisecond // RFC 3261 section 17.1.1.1
	t2           = 4 * time.Second
)

// Listen opens a UDP socket on an address of this machine.
type Listen func(ctx context.Context, at netip.Addr) (net.PacketConn, error)

// UDP is a Listen of the kernel.
func UDP(ctx context.Context, at netip.Addr) (net.PacketConn, error) {
	return (&net.ListenConfig{}).ListenPacket(ctx, "udp", netip.AddrPortFrom(at, 0).String())
}

// Call makes a call to the echo of the exchange. nil says that a tone has come back for half a second as it was sent,
// and that the exchange has taken leave; an error says in words what was otherwise.
func Call(ctx context.Context, a Account, listen Listen) error {
	c, err := open(ctx, a, listen)
	if err != nil {
		return err
	}
	defer c.close()
	port, err := c.invite(ctx)
	if err != nil {
		return err
	}
	heard := c.talk(ctx, netip.AddrPortFrom(a.Media, uint16(port)))
	if errors.Is(heard, errHungUp) {
		return heard
	}
	return errors.Join(heard, c.bye(ctx))
}

// caller is the call. Its goroutines only read the sockets; whoever called Call owns the rest.
type caller struct {
	Account
	sip, rtp net.PacketConn
	messages chan message
	packets  chan packet
	done     chan struct{}
	readers  sync.WaitGroup

	callID, tag string
	remote      string // value of the To header, with the tag of the exchange once there is one
	target      string // its Contact
	cseq        int
	branch      string // of the ACK, for the responses that come again
	invited     int    // number of the INVITE that was answered
}

// own is from where a call to an address is made. Of the loopback network any address is ours: one that no other
// program of the machine has, so that nobody's behaviour has had it banned.
func own(to netip.Addr) netip.Addr {
	if !to.Is4() || !to.IsLoopback() {
		return to
	}
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails
	return netip.AddrFrom4([4]byte{127, 64 + b[0]%64, b[1], 1 + b[2]%254})
}

func open(ctx context.Context, a Account, listen Listen) (*caller, error) {
	at := own(a.Address.Addr())
	sip, err := listen(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("no socket for a call: %w", err)
	}
	rtp, err := listen(ctx, at)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("no socket for its audio: %w", err), sip.Close())
	}
	c := &caller{
		Account: a, sip: sip, rtp: rtp, messages: make(chan message, 16), packets: make(chan packet, 64), done: make(chan struct{}),
		callID: rand.Text(), tag: rand.Text()[:10], cseq: 1,
	}
	c.target = "sip:" + a.Number + "@" + a.Address.String()
	c.remote = "<" + c.target + ">"
	c.readers.Go(func() {
		c.read(sip, func(raw []byte) {
			if m, err := parse(raw); err == nil && m.get("call-id") == c.callID {
				select {
				case c.messages <- m:
				case <-c.done:
				}
			}
		})
	})
	c.readers.Go(func() {
		c.read(rtp, func(raw []byte) {
			if p, ok := unpack(raw); ok {
				select {
				case c.packets <- p:
				case <-c.done:
				}
			}
		})
	})
	return c, nil
}

// read hands over datagrams until the socket is closed.
func (c *caller) read(from net.PacketConn, take func([]byte)) {
	buf := make([]byte, largest+1)
	for {
		n, _, err := from.ReadFrom(buf)
		if err != nil {
			select {
			case <-c.done:
				return
			case <-time.After(20 * time.Millisecond): // an ICMP error of what was sent is told here; it is no end
				continue
			}
		}
		take(buf[:n])
	}
}

func (c *caller) close() {
	close(c.done)
	_, _ = c.sip.Close(), c.rtp.Close()
	c.readers.Wait()
}

// talk sends the tone until it has come back for long enough, or patience ends. What the exchange asks meanwhile is
// answered.
func (c *caller) talk(ctx context.Context, to netip.AddrPort) error {
	var seed [5]byte
	_, _ = rand.Read(seed[:])
	hz := 400 + 50*(int(seed[0])%50) // one that nobody can have guessed
	ssrc := binary.BigEndian.Uint32(seed[1:])
	ear := ear{hz: hz}
	tick := time.NewTicker(time.Second / (rate / perPack))
	defer tick.Stop()
	end := time.NewTimer(listenFor)
	defer end.Stop()
	at := net.UDPAddrFromAddrPort(to)
	for sent := 0; ; {
		select {
		case <-tick.C:
			if _, err := c.rtp.WriteTo(pack(ssrc, sent, tone(hz, sent*perPack, perPack)), at); err != nil {
				return fmt.Errorf("audio cannot be sent to %s: %w", to, err)
			}
			sent++
		case p := <-c.packets:
			if ear.hear(p) {
				return nil
			}
		case m := <-c.messages:
			if err := c.meanwhile(m); err != nil {
				return err
			}
		case <-end.C:
			return ear.complaint(sent)
		case <-ctx.Done():
			return fmt.Errorf("the call was broken off: %w", ctx.Err())
		}
	}
}
