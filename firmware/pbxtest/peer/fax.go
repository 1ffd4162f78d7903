package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Fax is a machine beside a call that speaks T.38: a UDP socket for its datagrams (UDPTL), and what it says
// of itself in SDP. Its fields are set before a call gets it.
type Fax struct {
	Attributes []string      // such as "T38FaxVersion:0"
	OwnLine    bool          // it asks in a line of its own, beside the audio that it switches off
	Refuse     int           // the status with which it refuses to be asked; 0: it does not
	NoStream   bool          // it takes the offer, but with port 0
	Late       time.Duration // after how long it answers who asks
	Dumb       bool          // it never does

	conn *net.UDPConn

	mu     sync.Mutex
	to     netip.AddrPort // invalid while it is not in T.38
	theirs []string       // attributes that the box told
	asked  int            // how often the box has offered T.38
	taken  int            // how often it was answered with 200
	open   bool           // an offer waits for its answer
}

// NewFax opens a machine's socket at an address.
func NewFax(at netip.Addr, attributes ...string) (*Fax, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		return nil, err
	}
	return &Fax{Attributes: attributes, conn: conn}, nil
}

// Close closes the socket.
func (f *Fax) Close() { _ = f.conn.Close() }

// Local is where the machine listens.
func (f *Fax) Local() netip.AddrPort { return f.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// Remote is where its datagrams go; invalid while it is not in T.38.
func (f *Fax) Remote() netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.to
}

// Told are the attributes of the other machine, as the box has them.
func (f *Fax) Told() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.theirs
}

// Asked counts the offers of T.38 that have come.
func (f *Fax) Asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// Taken counts those that it has answered with 200.
func (f *Fax) Taken() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.taken
}

var errNoT38 = errors.New("the machine is not in T.38")

// Send sends a datagram.
func (f *Fax) Send(b []byte) error {
	to := f.Remote()
	if !to.IsValid() {
		return errNoT38
	}
	_, err := f.conn.WriteToUDPAddrPort(b, to)
	return err
}

// Receive waits for a datagram, whoever has sent it.
func (f *Fax) Receive(patience time.Duration) ([]byte, error) {
	b := make([]byte, 2000)
	_ = f.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := f.conn.Read(b)
	return b[:n], err
}

// use takes the box's SDP; false when it has no T.38.
func (f *Fax) use(body []byte) bool {
	to, told, ok := readT38(body)
	if ok {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.to, f.theirs = to, told
	}
	return ok
}

// readT38 reads T.38 in the place of audio.
func readT38(body []byte) (to netip.AddrPort, told []string, ok bool) {
	var addr netip.Addr
	port, image := uint64(0), false
	for line := range strings.SplitSeq(strings.ReplaceAll(string(body), "\r", ""), "\n") {
		switch fields := strings.Fields(line); {
		case strings.HasPrefix(line, "c=IN IP") && len(fields) == 3:
			addr, _ = netip.ParseAddr(fields[2])
		case strings.HasPrefix(line, "m=audio ") && len(fields) > 1 && fields[1] != "0":
			return to, nil, false
		case strings.HasPrefix(line, "m="):
			if image = len(fields) == 4 && fields[0] == "m=image" && fields[2] == "udptl" && fields[3] == "t38"; image {
				port, _ = strconv.ParseUint(fields[1], 10, 16)
			}
		case image && strings.HasPrefix(line, "a=T38"):
			told = append(told, line[2:])
		}
	}
	return netip.AddrPortFrom(addr, uint16(port)), told, port != 0 && addr.IsValid()
}

// over is told that the call has audio again.
func (f *Fax) over() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.to = netip.AddrPort{}
}

// sdp says T.38 in so many lines, of which those before are switched off audio.
func (f *Fax) sdp(c *Call, lines int) string {
	head, _, _ := strings.Cut(c.sdp("sendrecv"), "m=")
	port := int(f.Local().Port())
	if f.NoStream {
		port = 0
	}
	text := head + strings.Repeat("m=audio 0 RTP/AVP 8\r\n", lines-1) + fmt.Sprintf("m=image %d udptl t38\r\n", port)
	for _, a := range f.Attributes {
		text += "a=" + a + "\r\n"
	}
	return text
}

// answer says T.38 in as many lines as an offer of the box.
func (f *Fax) answer(c *Call, offer []byte) string {
	return f.sdp(c, strings.Count(string(offer), "\nm="))
}

// RefreshFax repeats by UPDATE what the machine has said.
func (c *Call) RefreshFax(ctx context.Context) error {
	f := c.machine()
	res, err := c.ask(ctx, "UPDATE", "", f.sdp(c, f.lines()))
	if err == nil && (res.StatusCode != 200 || !f.use(res.Body())) {
		err = fmt.Errorf("UPDATE: %d %s: %w", res.StatusCode, res.Reason, ErrStatus)
	}
	return err
}

// lines are those of its own offers.
func (f *Fax) lines() int {
	if f.OwnLine {
		return 2
	}
	return 1
}

// Fax has the call take offers of T.38 for a machine from now on.
func (c *Call) Fax(f *Fax) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.fax = f
}

// machine is the call's, or nil.
func (c *Call) machine() *Fax {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.fax
}

// OfferFax asks the box for T.38 in the place of the audio, by re-INVITE, and waits. When give is closed it sends
// CANCEL.
func (c *Call) OfferFax(ctx context.Context, give <-chan struct{}) error {
	f := c.machine()
	body := f.sdp(c, f.lines())
	c.p.mu.Lock()
	c.cseq++
	n := c.cseq
	c.p.mu.Unlock()
	res, err := c.transact(ctx, n, "", body, give)
	switch {
	case err != nil:
		return err
	case res.StatusCode != 200:
		return fmt.Errorf("re-INVITE: %d %s: %w", res.StatusCode, res.Reason, ErrStatus)
	case !f.use(res.Body()):
		return fmt.Errorf("re-INVITE: answer without T.38: %w", ErrStatus)
	}
	c.audio.silence()
	return nil
}

func (f *Fax) answered() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = false
}

// faxed answers an offer of T.38; false when it is none, or for no machine.
func (c *Call) faxed(req *sip.Request, from netip.AddrPort) bool {
	f, body := c.machine(), req.Body()
	if f == nil {
		return false
	}
	_, _, ok := readT38(body)
	f.mu.Lock()
	open := f.open
	if ok && !open {
		f.asked++
		f.open = true
	}
	f.mu.Unlock()
	switch {
	case open: // RFC 3261 section 14.2
		c.p.reply(req, from, 500, c.tag, "Retry-After: 1\r\n")
		return true
	case !ok:
		return false
	}
	answer := func() {
		defer f.answered()
		if f.Refuse != 0 {
			c.p.reply(req, from, f.Refuse, c.tag, "")
			return
		}
		if !f.NoStream {
			f.use(body)
			c.audio.silence()
		}
		f.mu.Lock()
		f.taken++
		f.mu.Unlock()
		c.accept(req, from, f.answer(c, body))
	}
	switch {
	case f.Dumb:
		c.p.reply(req, from, 100, "", "")
	case f.Late != 0:
		c.p.reply(req, from, 100, "", "")
		c.p.spawn(func() {
			select {
			case <-time.After(f.Late):
				answer()
			case <-c.p.quit:
			}
		})
	default:
		answer()
	}
	return true
}
