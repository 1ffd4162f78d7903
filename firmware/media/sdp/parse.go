package sdp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// The limits of a description from outside. Real ones stay far below each.
const (
	MaxBytes   = 64 << 10
	MaxLines   = 500
	MaxStreams = 16
	maxFormats = 64
)

// Session is a parsed description.
type Session struct {
	ID, Version string // of the o= line, as written
	Name        string
	Streams     []Stream // one per m= line, in order
}

// Stream is one m= line with what belongs to it; session-level values are filled in.
type Stream struct {
	Kind    string // "audio", "video", "image" ... in lower case
	Port    uint16 // 0 means refused or removed
	Proto   string // as written: "RTP/AVP"
	Formats []string
	// Addr is the connection address; it is invalid when none, or a host name, was given.
	Addr      netip.Addr
	Host      string // the host name, when one was given instead of an address
	Direction Direction
	Ptime     int // milliseconds, 0 when not said
	MaxPtime  int
	RTCPMux   bool
	RTCP      netip.AddrPort // a=rtcp; its address is invalid when only a port was given
	T38       []string       // attributes of T.38, as written

	maps   map[string]mapping
	params map[string]string // a=fmtp, by payload type
	crypto []cryptoLine      // the usable ones, in order
}

// mapping is one a=rtpmap.
type mapping struct {
	name     string
	clock    int
	channels int
}

// Parse reads a description within the limits. Unknown lines and attributes are passed over; an
// error wraps ErrMalformed and names the line.
func Parse(body []byte) (*Session, error) {
	if len(body) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrMalformed, len(body), MaxBytes)
	}
	p := parser{session: &Session{}}
	rest := string(body)
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		line = strings.TrimRight(line, "\r \t\x00")
		if line == "" {
			continue
		}
		if p.lines++; p.lines > MaxLines {
			return nil, fmt.Errorf("%w: more than %d lines", ErrMalformed, MaxLines)
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrMalformed, p.lines, err)
		}
	}
	if p.lines == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrMalformed)
	}
	return p.session, nil
}

type parser struct {
	session   *Session
	lines     int
	addr      netip.Addr // session level
	host      string
	direction Direction
	ptime     int
	mux       bool
}

func (p *parser) line(line string) error {
	if len(line) < 2 || line[1] != '=' {
		return fmt.Errorf("%.20q is not of the form x=value", line)
	}
	kind, value := line[0], strings.TrimSpace(line[2:])
	if p.lines == 1 && (kind != 'v' || value != "0") {
		return fmt.Errorf("%.20q where v=0 must stand", line)
	}
	switch kind {
	case 'o':
		// o=<user> <id> <version> IN IP4 <address>; only the numbers matter to anyone.
		if f := strings.Fields(value); len(f) >= 3 {
			p.session.ID, p.session.Version = f[1], f[2]
		}
	case 's':
		p.session.Name = value
	case 'c':
		return p.connection(value)
	case 'm':
		return p.media(value)
	case 'a':
		return p.attribute(value)
	}
	return nil
}

// stream is the media description being read, or nil while at session level.
func (p *parser) stream() *Stream {
	if n := len(p.session.Streams); n > 0 {
		return &p.session.Streams[n-1]
	}
	return nil
}

// connection reads "IN IP4 192.0.2.1", "IN IP6 2001:db8::1" and the multicast forms with a TTL.
func (p *parser) connection(value string) error {
	f := strings.Fields(value)
	if len(f) < 3 || !strings.EqualFold(f[0], "IN") {
		return fmt.Errorf("connection %.40q is not of the form IN IP4 address", value)
	}
	addr, host := address(f[2])
	if s := p.stream(); s != nil {
		s.Addr, s.Host = addr, host
	} else {
		p.addr, p.host = addr, host
	}
	return nil
}

func address(text string) (netip.Addr, string) {
	text, _, _ = strings.Cut(text, "/")
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, text
	}
	// A zone means nothing on another machine.
	return a.Unmap().WithZone(""), ""
}

// media reads "<kind> <port>[/<count>] <proto> <format> ...".
func (p *parser) media(value string) error {
	if len(p.session.Streams) >= MaxStreams {
		return fmt.Errorf("more than %d media lines", MaxStreams)
	}
	f := strings.Fields(value)
	if len(f) < 4 {
		return fmt.Errorf("media %.40q is not of the form kind port protocol formats", value)
	}
	if len(f) > 3+maxFormats {
		return fmt.Errorf("more than %d formats", maxFormats)
	}
	portText, _, _ := strings.Cut(f[1], "/")
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return fmt.Errorf("port %.20q is not a number from 0 to 65535", f[1])
	}
	p.session.Streams = append(p.session.Streams, Stream{
		Kind: strings.ToLower(f[0]), Port: uint16(port), Proto: f[2], Formats: f[3:],
		Addr: p.addr, Host: p.host, Direction: p.direction, Ptime: p.ptime, RTCPMux: p.mux,
	})
	return nil
}

// attribute reads the few attributes that steer a telephone call. An attribute that cannot be read
// is passed over like an unknown one: nothing that we need is lost without a second chance.
func (p *parser) attribute(value string) error {
	key, arg, _ := strings.Cut(value, ":")
	key, arg = strings.ToLower(key), strings.TrimSpace(arg)
	s := p.stream()
	if d, ok := directionByName(key); ok {
		if s != nil {
			s.Direction = d
		} else {
			p.direction = d
		}
		return nil
	}
	if s == nil {
		switch key {
		case "ptime":
			p.ptime = milliseconds(arg)
		case "rtcp-mux":
			p.mux = true
		}
		return nil
	}
	switch key {
	case "rtpmap":
		s.rtpmap(arg)
	case "fmtp":
		if pt, params, ok := strings.Cut(arg, " "); ok && len(s.params) < maxFormats {
			if s.params == nil {
				s.params = make(map[string]string)
			}
			s.params[pt] = params
		}
	case "ptime":
		s.Ptime = milliseconds(arg)
	case "maxptime":
		s.MaxPtime = milliseconds(arg)
	case "rtcp-mux":
		s.RTCPMux = true
	case "rtcp":
		s.rtcp(arg)
	case "crypto":
		s.cryptoLine(arg)
	default:
		if strings.HasPrefix(key, "t38") {
			s.t38(value)
		}
	}
	return nil
}

// milliseconds reads a packet time; some phones write "20.0".
func milliseconds(arg string) int {
	arg, _, _ = strings.Cut(arg, ".")
	n, err := strconv.ParseUint(arg, 10, 16)
	if err != nil || n > 1000 {
		return 0
	}
	return int(n)
}

// rtpmap reads "<pt> <name>/<clock>[/<channels>]".
func (s *Stream) rtpmap(arg string) {
	pt, enc, ok := strings.Cut(arg, " ")
	parts := strings.Split(strings.TrimSpace(enc), "/")
	if !ok || len(parts) < 2 || len(s.maps) >= maxFormats {
		return
	}
	clock, err := strconv.ParseUint(parts[1], 10, 31)
	if err != nil {
		return
	}
	m := mapping{name: parts[0], clock: int(clock), channels: 1}
	if len(parts) > 2 {
		if n, err := strconv.ParseUint(parts[2], 10, 8); err == nil {
			m.channels = int(n)
		}
	}
	if s.maps == nil {
		s.maps = make(map[string]mapping)
	}
	s.maps[pt] = m
}

// rtcp reads "<port> [IN IP4 <address>]" (RFC 3605).
func (s *Stream) rtcp(arg string) {
	f := strings.Fields(arg)
	if len(f) == 0 {
		return
	}
	port, err := strconv.ParseUint(f[0], 10, 16)
	if err != nil {
		return
	}
	var addr netip.Addr
	if len(f) >= 4 {
		addr, _ = address(f[3])
	}
	s.RTCP = netip.AddrPortFrom(addr, uint16(port))
}

// format is a format of an m= line that we understand.
type format struct {
	id    codec.ID
	pt    uint8
	clock int // of telephone-events, which follow the sound's: 8000, or 48000 beside Opus; else that of the codec
}

// known lists the formats of the stream that we understand, in its order, without repeats.
func (s *Stream) known() []format {
	var out []format
	for _, f := range s.Formats {
		n, err := strconv.ParseUint(f, 10, 7)
		if err != nil {
			continue
		}
		pt := uint8(n)
		id, ok := codec.ByStaticPayloadType(pt)
		clock := id.ClockRate()
		if m, mapped := s.maps[f]; mapped {
			// RFC 3551 section 6: a map beside a static type must agree with it; if it does not, the map is what was meant.
			id, ok = codec.ByName(m.name)
			ok = ok && m.channels <= mostChannels(id) && clockFits(id, m.clock)
			if clock = id.ClockRate(); id == codec.TelephoneEvent {
				clock = m.clock
			}
		}
		// 0 stands for "no events", and PT 0 is µ-law by RFC 3551, so an event type of 0 is nonsense.
		if !ok || id == codec.TelephoneEvent && pt == 0 {
			continue
		}
		out = append(out, format{id, pt, clock})
	}
	return out
}

// clockFits accepts G.722 at 16,000 Hz too: old phones write its sampling rate. Telephone-events may have the
// clock of Opus (RFC 7587 section 4.1 with RFC 4733 section 2.2).
func clockFits(id codec.ID, clock int) bool {
	return clock == id.ClockRate() || id == codec.G722 && clock == 16000 || id == codec.TelephoneEvent && clock == codec.OpusClock
}

// mostChannels is 2 for Opus, whose map says so also of one voice (RFC 7587 section 7).
func mostChannels(id codec.ID) int {
	if id == codec.Opus {
		return 2
	}
	return 1
}

// opus reads what the peer wants of our Opus (RFC 7587 section 6.1). All else there is either what our decoder
// bears anyway or what our narrow-band, mono sound never exceeds.
func (s *Stream) opus(pt uint8) (o Opus) {
	for param := range strings.SplitSeq(s.params[strconv.Itoa(int(pt))], ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "maxaveragebitrate":
			if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31); err == nil {
				o.MaxBitrate = max(minOpusBitrate, min(int(n), maxOpusBitrate))
			}
		case "cbr":
			o.Constant = strings.TrimSpace(value) == "1"
		}
	}
	return o
}

// What RFC 7587 section 6.1 allows maxaveragebitrate to be.
const minOpusBitrate, maxOpusBitrate = 6000, 510_000
