package useragent

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Stream is the audio of one side of one call: a socket that sends once started, and what became of
// its packets.
type Stream struct {
	audio  *Audio
	fd     int
	id     uint32
	addr   netip.AddrPort
	caller bool

	// under audio.sending
	to     unix.RawSockaddrInet4
	slot   int // -1: does not send
	seq    uint32
	sent   int
	unsent int

	// under audio.mu
	direct    bool
	heard     heard
	strangers int // packets without a mark that came to this socket
	closed    bool
}

// heard is what became of the packets of one stream.
type heard struct {
	by          *Stream
	first, last uint32
	window      uint64 // which of the 64 packets up to last came
	received    int
	reordered   int
	duplicated  int
	at          int64 // when the last one came, ns since 1970
	longest     time.Duration
}

// Addr is where the stream receives.
func (s *Stream) Addr() netip.AddrPort { return s.addr }

// Start sends to an address from now on.
func (s *Stream) Start(to netip.AddrPort) {
	a := s.audio
	s.noteDirect(to)
	a.sending.Lock()
	defer a.sending.Unlock()
	s.aim(to)
	if s.slot >= 0 {
		return
	}
	s.slot = 0
	for i := range a.slots {
		if len(a.slots[i]) < len(a.slots[s.slot]) {
			s.slot = i
		}
	}
	a.slots[s.slot] = append(a.slots[s.slot], s)
}

// Move sends elsewhere than before, if the stream sends.
func (s *Stream) Move(to netip.AddrPort) {
	s.noteDirect(to)
	s.audio.sending.Lock()
	defer s.audio.sending.Unlock()
	s.aim(to)
}

// noteDirect notes when the server has the stream sent past itself.
func (s *Stream) noteDirect(to netip.AddrPort) {
	s.audio.mu.Lock()
	defer s.audio.mu.Unlock()
	if other := s.audio.at[to]; other != nil && other != s {
		s.direct = true
	}
}

// aim is called with audio.sending held.
func (s *Stream) aim(to netip.AddrPort) {
	s.to.Family = unix.AF_INET
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&s.to.Port))[:], to.Port())
	s.to.Addr = to.Addr().As4()
}

// Stop sends no more. What is under way may still come.
func (s *Stream) Stop() {
	a := s.audio
	a.sending.Lock()
	defer a.sending.Unlock()
	if s.slot < 0 {
		return
	}
	all := a.slots[s.slot]
	for i, other := range all {
		if other == s {
			all[i] = all[len(all)-1]
			a.slots[s.slot] = all[:len(all)-1]
			break
		}
	}
	s.slot = -1
}

// Peer is the stream that has heard this one, nil while none has.
func (s *Stream) Peer() *Stream {
	s.audio.mu.Lock()
	defer s.audio.mu.Unlock()
	return s.heard.by
}

// got takes a packet that came to this socket. It is called with audio.mu held.
func (s *Stream) got(packet []byte, at int64) {
	if len(packet) < rtpHeader || packet[0]>>6 != 2 {
		s.strangers++
		return
	}
	if t := packet[1] & 0x7f; t >= 72 && t <= 76 {
		return // RTCP, for whoever has the port below
	}
	found, a := false, s.audio
	for frame := packet[rtpHeader:]; len(frame) >= frameSize; frame = frame[frameSize:] {
		m, ok := markIn(frame, a.run)
		if !ok {
			break
		}
		found = true
		from := a.streams[m.stream]
		if from == nil || from.heard.take(m.seq, at) {
			continue // of a call that is over, or for the second time
		}
		from.heard.by = s
		way := ToAnswerer
		switch {
		case from == s:
			way = Echoed
		case !from.caller:
			way = ToCaller
		}
		a.ways[way].Add(time.Duration(at - m.at))
	}
	if !found {
		s.strangers++
	}
}

// take notes that a packet came, and reports that it had come before.
func (h *heard) take(seq uint32, at int64) (again bool) {
	switch ahead := int64(seq) - int64(h.last); {
	case h.received == 0:
		h.first, h.last, h.window = seq, seq, 1
	case ahead > 0:
		h.longest = max(h.longest, time.Duration(at-h.at))
		h.last = seq
		h.window = h.window<<min(ahead, 64) | 1
	case ahead <= -64 || h.window&(1<<-ahead) != 0:
		h.duplicated++
		return true
	default:
		h.window |= 1 << -ahead
		h.first = min(h.first, seq)
		h.reordered++
	}
	h.received++
	h.at = max(h.at, at)
	return false
}

// Told is what became of the packets of a stream.
type Told struct {
	Sent, Received int
	Unsent         int           // of the sent: the kernel did not take them
	Head           int           // left before the first that was heard: the way was not open yet
	Lost           int           // left after that, and never came
	Tail           int           // of the lost: left after the last that was heard
	OutOfOrder     int           // came after one that left later
	Duplicated     int           // came again
	Gap            time.Duration // the longest time between two that came
	Strangers      int           // packets that came to this socket without a mark: not what the other side sent, or decoded
	Direct         bool          // the server had it sent to another of our sockets, past itself
	Peer           bool          // came to another socket than the stream's own
}

// Close stops the stream, gives its socket back and tells what became of its packets.
func (s *Stream) Close() Told {
	s.Stop()
	a := s.audio
	a.sending.Lock()
	t := Told{Sent: s.sent, Unsent: s.unsent}
	a.sending.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	h := &s.heard
	t.Received, t.OutOfOrder, t.Duplicated, t.Gap = h.received, h.reordered, h.duplicated, h.longest
	t.Strangers, t.Direct, t.Peer = s.strangers, s.direct, h.by != nil && h.by != s
	if h.received > 0 {
		t.Head = int(h.first)
		t.Tail = t.Sent - 1 - int(h.last)
		t.Lost = t.Sent - t.Head - h.received
	}
	if !s.closed {
		s.closed = true
		delete(a.streams, s.id)
		delete(a.at, s.addr)
		_ = unix.Close(s.fd)
	}
	return t
}
