package peer

import (
	"strings"

	"github.com/pion/rtp"
)

// keyNames are the keys in the order of their events (RFC 4733 section 3.2); ! is the hook flash, the key R.
const keyNames = "0123456789*#ABCD!"

// keyFrames is how many packets a key press has: 100 ms, its end said three times, and a pause after it.
const (
	keyFrames = keyDown + 3 + keyPause
	keyDown   = 5
	keyPause  = 3
)

// Press sends keys as telephone-events (RFC 4733), one after the other, 220 ms each. It does not wait.
func (a *Audio) Press(keys string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.press = append(a.press, []rune(keys)...)
}

// Keys are the telephone-events that came.
func (a *Audio) Keys() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return string(a.keys)
}

// hearKey takes a telephone-event; one key is one timestamp. It is called with mu held.
func (a *Audio) hearKey(p *rtp.Packet) {
	if len(p.Payload) < 4 || int(p.Payload[0]) >= len(keyNames) || len(a.keys) > 0 && p.Timestamp == a.keyAt {
		return
	}
	a.keys, a.keyAt = append(a.keys, rune(keyNames[p.Payload[0]])), p.Timestamp
}

// pressed is a key on its way.
type pressed struct {
	key  rune
	at   uint32 // timestamp of its beginning, which all its packets carry
	left int    // packets to send
}

func (k *pressed) down() bool { return k.left > 0 }

// packet is the next one of the key; in the pause after it the end is said again, which changes nothing.
func (k *pressed) packet(p rtp.Packet, pt uint8) rtp.Packet {
	n := keyFrames - k.left
	k.left--
	end := byte(0)
	if n >= keyDown {
		end = 0x80
	}
	long := min(n+1, keyDown) * frame
	p.PayloadType, p.Timestamp, p.Marker = pt, k.at, n == 0
	p.Payload = []byte{byte(max(0, strings.IndexRune(keyNames, k.key))), end | 10, byte(long >> 8), byte(long)}
	return p
}
