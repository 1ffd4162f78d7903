package peer

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// session is what this peer understands of an SDP body.
type session struct {
	to        netip.AddrPort // where its audio goes
	law       tone.Law
	events    uint8   // payload type of their telephone-events (RFC 4733); 0: none
	direction string  // as the other side wrote it: sendrecv, sendonly, recvonly, inactive
	keys      *keying // of its SRTP; nil: it speaks plain RTP
}

func (s session) sends() bool { return s.direction == "sendrecv" || s.direction == "recvonly" }

// readSDP takes the first audio stream; ok is false when it has none with G.711.
func readSDP(body []byte) (s session, ok bool) {
	s.direction = "sendrecv"
	var addr netip.Addr
	audio := false
	for line := range strings.SplitSeq(strings.ReplaceAll(string(body), "\r", ""), "\n") {
		switch fields := strings.Fields(line); {
		case strings.HasPrefix(line, "c=IN IP") && len(fields) == 3:
			addr, _ = netip.ParseAddr(fields[2])
		case strings.HasPrefix(line, "m="):
			if audio = fields[0] == "m=audio" && !ok && len(fields) > 3; !audio {
				continue
			}
			port, _ := strconv.ParseUint(fields[1], 10, 16)
			s.to, s.events = netip.AddrPortFrom(addr, uint16(port)), 0
			for _, pt := range fields[3:] {
				if pt == "8" || pt == "0" {
					ok = port > 0
					s.law = tone.ALaw
					if pt == "0" {
						s.law = tone.MuLaw
					}
					break
				}
			}
		case audio && strings.HasPrefix(line, "a=rtpmap:") && len(fields) == 2 && strings.EqualFold(fields[1], "telephone-event/8000"):
			pt, _ := strconv.ParseUint(strings.TrimPrefix(fields[0], "a=rtpmap:"), 10, 7)
			s.events = uint8(pt)
		case audio && s.keys == nil && strings.HasPrefix(line, "a=crypto:"):
			if k, ok := readKeying(line); ok {
				s.keys = &k
			}
		case audio && (line == "a=sendonly" || line == "a=recvonly" || line == "a=inactive" || line == "a=sendrecv"):
			s.direction = line[2:]
		}
	}
	if ok {
		s.to = netip.AddrPortFrom(addr, s.to.Port())
	}
	return s, ok && addr.IsValid()
}

// eventType is the payload type that a peer offers for telephone-events.
const eventType = 101

// writeSDP offers or answers one law at an address, telephone-events unless their type is 0, and SRTP by keys unless they
// are nil.
func writeSDP(at netip.AddrPort, law tone.Law, events uint8, keys *keying, version int, direction string) string {
	family, types, lines, profile := "IP4", "", "", "RTP/AVP"
	if keys != nil {
		profile, lines = "RTP/SAVP", keys.line()
	}
	if at.Addr().Is6() {
		family = "IP6"
	}
	if events != 0 {
		types, lines = fmt.Sprintf(" %d", events), lines+fmt.Sprintf("a=rtpmap:%d telephone-event/8000\r\na=fmtp:%[1]d 0-15\r\n", events)
	}
	return fmt.Sprintf("v=0\r\no=peer %d %d IN %s %s\r\ns=call\r\nc=IN %[3]s %[4]s\r\nt=0 0\r\nm=audio %[1]d %[9]s %[5]d%[6]s\r\n"+
		"a=rtpmap:%[5]d %[5]s/8000\r\n%[7]sa=ptime:20\r\na=%[8]s\r\n",
		at.Port(), version, family, at.Addr(), law, types, lines, direction, profile)
}
