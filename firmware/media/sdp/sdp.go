// Package sdp reads session descriptions (RFC 8866) and conducts offer and answer (RFC 3264) for
// calls with one audio stream.
//
// It is pure: bytes and settings in, bytes and decisions out. The parser is its own because phones
// and carriers bend the line order and leave lines out, which a strict grammar refuses.
package sdp

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// Errors that a caller decides on; each comes wrapped with the reason in words. All of them mean
// 488 Not Acceptable Here, except ErrMalformed, which means 400 Bad Request.
var (
	ErrMalformed = errors.New("malformed session description")
	ErrNoAudio   = errors.New("no usable audio stream")
	ErrNoCodec   = errors.New("no codec in common")
)

// Direction says who may send on a stream, seen from the side that writes it.
type Direction uint8

// The directions of RFC 8866 section 6.7. SendRecv is the default when nothing is said.
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

var directionNames = [...]string{"sendrecv", "sendonly", "recvonly", "inactive"}

// String is the attribute name.
func (d Direction) String() string {
	if int(d) < len(directionNames) {
		return directionNames[d]
	}
	return fmt.Sprintf("direction(%d)", uint8(d))
}

// Sends reports whether the writer of the direction sends.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Receives reports whether the writer of the direction wants to receive.
func (d Direction) Receives() bool { return d == SendRecv || d == RecvOnly }

// Mirror is the same direction seen from the other side.
func (d Direction) Mirror() Direction { return direction(d.Receives(), d.Sends()) }

// And is what remains when both d and e must hold.
func (d Direction) And(e Direction) Direction {
	return direction(d.Sends() && e.Sends(), d.Receives() && e.Receives())
}

func direction(sends, receives bool) Direction {
	switch {
	case sends && receives:
		return SendRecv
	case sends:
		return SendOnly
	case receives:
		return RecvOnly
	}
	return Inactive
}

func directionByName(name string) (Direction, bool) {
	for i, n := range directionNames {
		if n == name {
			return Direction(i), true
		}
	}
	return SendRecv, false
}

// MarshalText writes the attribute name.
func (d Direction) MarshalText() ([]byte, error) {
	if int(d) >= len(directionNames) {
		return nil, fmt.Errorf("unknown direction %d", uint8(d))
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads the attribute name.
func (d *Direction) UnmarshalText(text []byte) error {
	got, ok := directionByName(string(text))
	if !ok {
		return fmt.Errorf("unknown direction %q", text)
	}
	*d = got
	return nil
}

// Local is our side of one session.
type Local struct {
	Addr      netip.Addr // where we receive; goes into o= and c=
	RTP, RTCP uint16     // ports; RTCP 0 means RTP+1
	RTCPMux   bool       // we can take RTCP on the RTP port (RFC 5761)
	Codecs    []codec.ID // sound formats, the preferred first
	Reserve   []codec.ID // formats that we take of an offer that has nothing else, and never offer
	DTMF      bool       // we speak RFC 4733
	Ptime     int        // milliseconds per packet that we like; 0 means 20
	Direction Direction  // what we are willing to do
	Security  Security   // how much secrecy we want; with more than SecurityOff Keys are needed
	Keys      []Crypto   // of DrawKeys, this session's own

	// Image is set while the stream is T.38 over UDPTL on the RTP port, in the place of audio: with the
	// attributes that the other machine has. With it Offer offers T.38 and Answer may agree to it.
	Image *Image

	// SessionID and Version fill the first o= line of a session. Values below 1<<62 are safe for
	// peers that read them as signed numbers.
	SessionID, Version uint64
	// Last is the body that we sent last in this session, nil at first. It gives the order of the
	// media lines and the payload types that must not change (RFC 3264 section 8), the session id,
	// and the version, which rises only when the new body differs.
	Last []byte
}

// Media is the outcome of one offer and answer: all that a leg needs to send and to receive.
type Media struct {
	// Remote is where to send. It is the zero AddrPort when the peer gave a host name or 0.0.0.0:
	// then nothing can be sent until the peer's address is learned from its packets.
	Remote      netip.AddrPort `json:"remote"`
	RemoteRTCP  netip.AddrPort `json:"remote_rtcp"`
	RTCPMux     bool           `json:"rtcp_mux,omitempty"`
	Codec       codec.ID       `json:"codec"`
	SendPT      uint8          `json:"send_pt"`
	RecvPT      uint8          `json:"recv_pt"`
	EventSendPT uint8          `json:"event_send_pt,omitempty"` // 0 means that the peer takes no RFC 4733 events
	EventRecvPT uint8          `json:"event_recv_pt,omitempty"`
	Ptime       int            `json:"ptime"`     // milliseconds per packet that we send
	Direction   Direction      `json:"direction"` // what we may send and expect to receive
	Opus        Opus           `json:"opus,omitzero"`
	SendKey     Crypto         `json:"send_key,omitzero"`
	RecvKey     Crypto         `json:"recv_key,omitzero"` // both keys or none
	// Image says that the stream is T.38 over UDPTL; of the fields above Remote alone counts then.
	Image bool `json:"image,omitempty"`
}

// Opus is what else an agreement on Opus says.
type Opus struct {
	MaxBitrate int  `json:"max_bitrate,omitempty"` // bits per second that the peer wants at most; 0: it does not say
	Constant   bool `json:"constant,omitempty"`    // it wants packets of one length
	EventClock int  `json:"event_clock,omitempty"` // of telephone-events, in Hz: 8000 or 48000; 0: there are none
}
