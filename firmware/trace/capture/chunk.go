package capture

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// chunk is a piece of the memory, in which packets of one call lie one behind the other.
type chunk struct {
	call    *Call // whose; nil: it is free
	used    int
	packets int
	b       []byte

	prev, next [2]*chunk // in the lists in which it is
}

// The lists in which a chunk is.
const (
	ofAge  = iota // all that are in use; of those that are free, next alone
	ofCall        // those of its call
)

// list is one of chunks, the oldest first.
type list struct {
	first, last *chunk
	n           int
}

func (l *list) push(x *chunk, of int) {
	x.prev[of], x.next[of] = l.last, nil
	if l.last == nil {
		l.first = x
	} else {
		l.last.next[of] = x
	}
	l.last = x
	l.n++
}

func (l *list) drop(x *chunk, of int) {
	if x.prev[of] == nil {
		l.first = x.next[of]
	} else {
		x.prev[of].next[of] = x.next[of]
	}
	if x.next[of] == nil {
		l.last = x.prev[of]
	} else {
		x.next[of].prev[of] = x.prev[of]
	}
	x.prev[of], x.next[of] = nil, nil
	l.n--
}

// entryHead stands before each packet in a chunk: its length, where its payload begins and ends, flags, what is
// covered, codec, ports, time, remote address.
const entryHead = 40

// The flags of an entry.
const (
	flagOut = 1 << iota
	flagControl
	flagSecured
	flagRemote // it has a remote address
)

// put writes an entry.
func put(b []byte, p *Packet, at time.Duration) {
	le := binary.LittleEndian
	le.PutUint16(b, uint16(len(p.Bytes)))
	le.PutUint16(b[2:], uint16(p.Start))
	le.PutUint16(b[4:], uint16(p.End))
	var flags byte
	if p.Out {
		flags |= flagOut
	}
	if p.Control {
		flags |= flagControl
	}
	if p.Secured {
		flags |= flagSecured
	}
	if p.Remote.IsValid() {
		flags |= flagRemote
	}
	b[6], b[7], b[8], b[9] = flags, byte(Whole), byte(p.Codec), 0
	le.PutUint16(b[10:], p.LocalPort)
	le.PutUint16(b[12:], p.Remote.Port())
	le.PutUint16(b[14:], 0)
	le.PutUint64(b[16:], uint64(at))
	host := p.Remote.Addr().As16()
	copy(b[24:], host[:])
	copy(b[entryHead:], p.Bytes)
}

// atOf is the time of an entry.
func atOf(b []byte) time.Duration { return time.Duration(binary.LittleEndian.Uint64(b[16:])) }

// get reads an entry.
func get(b []byte, origin time.Time) Packet {
	le := binary.LittleEndian
	p := Packet{
		At: origin.Add(atOf(b)), Out: b[6]&flagOut != 0, Control: b[6]&flagControl != 0, Secured: b[6]&flagSecured != 0,
		LocalPort: le.Uint16(b[10:]), Codec: codec.ID(b[8]), Covered: Why(b[7]), Start: int(le.Uint16(b[2:])), End: int(le.Uint16(b[4:])),
		Bytes: append([]byte(nil), b[entryHead:]...),
	}
	if b[6]&flagRemote != 0 {
		p.Remote = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[24:40])).Unmap(), le.Uint16(b[12:]))
	}
	return p
}

// coveredEvent stands where the code of a telephone-event was: no event has it (RFC 4733 section 7.1).
const coveredEvent = 0xff

// eventSize is the payload of a telephone-event (RFC 4733 section 2.3).
const eventSize = 4

// cover takes what an entry says out of it. Its length, and of an event its times, stay.
func cover(b []byte, why Why) {
	payload := b[entryHead+int(binary.LittleEndian.Uint16(b[2:])) : entryHead+int(binary.LittleEndian.Uint16(b[4:]))]
	if len(payload) == 0 {
		return
	}
	b[7] = byte(why)
	switch id := codec.ID(b[8]); {
	case id == codec.TelephoneEvent && why == Key:
		payload[0] = coveredEvent
		if len(payload) > eventSize {
			clear(payload[eventSize:])
		}
	case id == codec.G722:
		for n := 0; n < len(payload); {
			n += copy(payload[n:], g722Silence)
		}
	default:
		silence, _ := id.Silence() // 0 where there is none
		for i := range payload {
			payload[i] = silence
		}
	}
}

// g722Silence is digital silence in the codec that has no byte for it. It is only read.
var g722Silence = func() []byte {
	b := make([]byte, longest)
	return b[:codec.NewEncoder(codec.G722).Encode(b, make([]int16, longest))]
}()
