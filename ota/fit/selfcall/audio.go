package selfcall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// offer is our session description (RFC 4566).
func offer(host string, port int) string {
	family := "IP4"
	if strings.Contains(host, ":") {
		family = "IP6"
	}
	return fmt.Sprintf("v=0\r\no=- 1 1 IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\nm=audio %d RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=sendrecv\r\n",
		family, host, family, host, port)
}

var errNoAudio = errors.New("the answer has no audio in PCMA")

// answered reads where our audio is taken. Words say what is wrong with the answer.
func answered(body []byte) (port int, err error) {
	audio := false
	for line := range strings.Lines(string(body)) {
		line = strings.TrimRight(line, "\r\n")
		media, is := strings.CutPrefix(line, "m=")
		if is {
			f := strings.Fields(media)
			audio = len(f) >= 4 && f[0] == "audio" && port == 0
			if !audio {
				continue
			}
			if port, err = strconv.Atoi(f[1]); err != nil || port < 1 || port > 0xffff || f[2] != "RTP/AVP" || f[3] != "8" {
				return 0, errNoAudio
			}
		}
		if way := strings.TrimPrefix(line, "a="); audio && (way == "inactive" || way == "sendonly" || way == "recvonly") {
			return 0, fmt.Errorf("the answer lets audio pass in one direction at most: it is %s", way)
		}
	}
	if port == 0 {
		return 0, errNoAudio
	}
	return port, nil
}

// packet is one of RTP (RFC 3550 section 5.1).
type packet struct {
	seq     uint16
	samples []int16
}

const (
	rtpHeader = 12
	pcma      = 8
)

// pack makes the n-th packet of a stream.
func pack(ssrc uint32, n int, samples []int16) []byte {
	raw := make([]byte, rtpHeader, rtpHeader+len(samples))
	raw[0], raw[1] = 2<<6, pcma
	if n == 0 {
		raw[1] |= 0x80 // the marker: speech begins
	}
	binary.BigEndian.PutUint16(raw[2:], uint16(n))
	binary.BigEndian.PutUint32(raw[4:], uint32(n*perPack))
	binary.BigEndian.PutUint32(raw[8:], ssrc)
	for _, x := range samples {
		raw = append(raw, encode(x))
	}
	return raw
}

// unpack reads a packet; what is not PCMA in RTP is none.
func unpack(raw []byte) (p packet, ok bool) {
	if len(raw) < rtpHeader || raw[0]>>6 != 2 || raw[1]&0x7f != pcma {
		return p, false
	}
	p.seq = binary.BigEndian.Uint16(raw[2:])
	body := raw[rtpHeader:]
	skip := 4 * int(raw[0]&15)
	if raw[0]&0x10 != 0 {
		if len(body) < skip+4 {
			return p, false
		}
		skip += 4 + 4*int(binary.BigEndian.Uint16(body[skip+2:]))
	}
	if len(body) < skip {
		return p, false
	}
	body = body[skip:]
	if raw[0]&0x20 != 0 { // padding, whose last byte counts it
		if len(body) == 0 || int(body[len(body)-1]) > len(body) {
			return p, false
		}
		body = body[:len(body)-int(body[len(body)-1])]
	}
	for _, b := range body {
		p.samples = append(p.samples, decode(b))
	}
	return p, len(p.samples) > 0
}

// ear listens for a tone: enough windows of it in a row, with no packet missing between.
type ear struct {
	hz      int
	packets int // heard at all
	good    int // windows in a row
	last    uint16
	samples []int16
	wrong   string // with the last window that was not good
}

// enough is half a second.
const enough = 5

// hear takes a packet and reports whether the tone has been heard for long enough.
func (e *ear) hear(p packet) bool {
	if e.packets++; e.packets > 1 && p.seq != e.last+1 {
		e.good, e.samples = 0, nil
		e.wrong = "packets are missing"
	}
	e.last = p.seq
	e.samples = append(e.samples, p.samples...)
	for len(e.samples) >= window*perPack {
		if wrong := judge(e.samples[:window*perPack], e.hz); wrong != "" {
			e.good, e.wrong = 0, wrong
		} else {
			e.good++
		}
		e.samples = e.samples[window*perPack:]
	}
	return e.good >= enough
}

// complaint is what was heard in place of the tone.
func (e *ear) complaint(sent int) error {
	switch {
	case e.packets == 0:
		return fmt.Errorf("the exchange is deaf or mute: %d packets of audio were sent and none came back", sent)
	case e.wrong == "":
		return fmt.Errorf("of %d packets of audio that were sent %d came back, too few to hear a tone", sent, e.packets)
	default:
		return fmt.Errorf("%d packets of audio were sent and %d came back, but %s", sent, e.packets, e.wrong)
	}
}
