package sdp

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// opusParams is what we want of a peer's Opus (RFC 7587 section 6.1): speech as of G.722, of one channel, with each
// packet repeating the one before where the network loses some. Two phones that both speak Opus hear each other so,
// packet by packet; for all others the box makes it narrow.
const opusParams = "maxplaybackrate=16000;stereo=0;useinbandfec=1"

type writer struct{ bytes.Buffer }

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(&w.Buffer, format, args...)
	w.WriteString("\r\n")
}

// write makes a body whose version rises only if anything else changed (RFC 3264 section 8).
func (l *Local) write(streams func(*writer)) []byte {
	id, version := l.SessionID, l.Version
	if l.Last != nil {
		if last, err := Parse(l.Last); err == nil {
			if n, err := strconv.ParseUint(last.ID, 10, 64); err == nil {
				id = n
			}
			if n, err := strconv.ParseUint(last.Version, 10, 64); err == nil {
				version = n
			}
		}
	}
	body := l.body(id, version, streams)
	if l.Last != nil && !bytes.Equal(body, l.Last) {
		body = l.body(id, version+1, streams)
	}
	return body
}

func (l *Local) body(id, version uint64, streams func(*writer)) []byte {
	var w writer
	net := network(l.Addr)
	w.line("v=0")
	w.line("o=- %d %d %s", id, version, net)
	w.line("s=-")
	w.line("c=%s", net)
	w.line("t=0 0")
	streams(&w)
	return w.Bytes()
}

func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	switch {
	case a.Is6():
		return "IN IP6 " + a.String()
	case a.Is4():
		return "IN IP4 " + a.String()
	}
	return "IN IP4 0.0.0.0"
}

// refuse answers a media line with port 0 and its own words (RFC 3264 section 6).
func (w *writer) refuse(s Stream) {
	w.line("m=%s 0 %s %s", s.Kind, s.Proto, strings.Join(s.Formats, " "))
}

func (w *writer) audio(l *Local, proto string, formats []format, ptime int, d Direction, mux bool, keys []cryptoLine) {
	fmt.Fprintf(&w.Buffer, "m=audio %d %s", l.RTP, proto)
	for _, f := range formats {
		fmt.Fprintf(&w.Buffer, " %d", f.pt)
	}
	w.line("")
	for _, f := range formats {
		switch f.id {
		case codec.Opus:
			w.line("a=rtpmap:%d %s/%d/2", f.pt, f.id.Name(), f.clock)
			w.line("a=fmtp:%d %s", f.pt, opusParams)
		case codec.TelephoneEvent:
			w.line("a=rtpmap:%d %s/%d", f.pt, f.id.Name(), f.clock)
			w.line("a=fmtp:%d 0-16", f.pt)
		default:
			w.line("a=rtpmap:%d %s/%d", f.pt, f.id.Name(), f.clock)
		}
	}
	for _, k := range keys {
		w.line("a=crypto:%s %s inline:%s", k.tag, k.Suite, k.Key)
	}
	w.line("a=ptime:%d", ptime)
	if l.RTCP != 0 && l.RTCP != l.RTP+1 {
		// Beside rtcp-mux too: it counts when the peer declines to multiplex (RFC 5761 section 5.1.3).
		w.line("a=rtcp:%d", l.RTCP)
	}
	if mux {
		w.line("a=rtcp-mux")
	}
	w.line("a=%s", d)
}
