package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

const defaultPtime = 20

// Offer writes our offer. With l.Last it is a re-offer: the media lines keep their order and the
// formats their payload types (RFC 3264 section 8).
func Offer(l Local) []byte {
	lines, ours := layout(l)
	return l.write(func(w *writer) {
		for i, s := range lines {
			switch {
			case i != ours:
				w.refuse(s)
			case l.Image != nil:
				w.image(&l, s.Proto, s.Formats[0])
			default:
				w.audio(&l, s.Proto, offered(&l, &s), l.ptime(), l.Direction, l.RTCPMux, l.offeredCrypto(&s))
			}
		}
	})
}

// Answer decides on an offer and writes the answer: one m= line for each of the offer's, in order,
// the first usable audio accepted with one sound format, all else refused (RFC 3264 section 6). An offer
// of T.38 in the place of the audio is accepted when l has an Image.
func Answer(offer *Session, l Local) (body []byte, m Media, err error) {
	if _, ok := offer.Image(); ok && l.Image != nil {
		return answerImage(offer, l)
	}
	var why error
	ours := -1
	for i := range offer.Streams {
		m, err = agree(&l, &offer.Streams[i], nil, nil)
		if err == nil {
			ours = i
			break
		}
		if why == nil || offer.Streams[i].Kind == "audio" {
			why = err
		}
	}
	if ours < 0 {
		if why == nil {
			why = fmt.Errorf("%w: it has no media line", ErrNoAudio)
		}
		return nil, Media{}, why
	}
	s := &offer.Streams[ours]
	formats := []format{{m.Codec, m.RecvPT, m.Codec.ClockRate()}}
	if m.EventRecvPT != 0 {
		formats = append(formats, format{codec.TelephoneEvent, m.EventRecvPT, m.eventClock()})
	}
	body = l.write(func(w *writer) {
		for i, t := range offer.Streams {
			if i != ours {
				w.refuse(t)
				continue
			}
			w.audio(&l, s.Proto, formats, m.Ptime, m.Direction, m.RTCPMux, s.chosen(&m))
		}
	})
	return body, m, nil
}

// Accept reads the answer to the offer that Offer made of the same Local.
func Accept(offer Local, answer *Session) (Media, error) {
	lines, ours := layout(offer)
	if offer.Image != nil {
		return acceptImage(&offer, answer, len(lines), ours)
	}
	formats, keys := offered(&offer, &lines[ours]), offer.offeredCrypto(&lines[ours])
	if len(answer.Streams) == len(lines) {
		return agreeAnswer(&offer, &lines[ours], &answer.Streams[ours], formats, keys)
	}
	// RFC 3264 wants as many lines back; who leaves out the refused ones is still understood.
	var why error = fmt.Errorf("%w: it has no media line", ErrNoAudio)
	for i := range answer.Streams {
		m, err := agreeAnswer(&offer, &lines[ours], &answer.Streams[i], formats, keys)
		if err == nil {
			return m, nil
		}
		why = err
	}
	return Media{}, why
}

// agreeAnswer settles a stream that answers ours. Who answers an offer of RTP/SAVP with plain RTP has
// not read it.
func agreeAnswer(l *Local, ours, s *Stream, formats []format, keys []cryptoLine) (Media, error) {
	m, err := agree(l, s, formats, keys)
	if _, must := profile(ours.Proto); err == nil && must && m.SendKey.Suite == NoSuite {
		return Media{}, fmt.Errorf("%w: we offered %s and the answer is %s without a key", ErrNoAudio, ours.Proto, s.Proto)
	}
	return m, err
}

// agree settles one stream of the peer. offered and keys are what we offered when s answers us;
// offered is nil when s is an offer, whose payload types then hold for both directions.
func agree(l *Local, s *Stream, offered []format, keys []cryptoLine) (Media, error) {
	if err := usable(l, s); err != nil {
		return Media{}, err
	}
	send, recv, err := l.secure(s, keys, offered == nil)
	if err != nil {
		return Media{}, err
	}
	known := s.known()
	m := Media{Ptime: packetTime(l, s), Direction: l.Direction.And(s.Direction.Mirror()), SendKey: send, RecvKey: recv}
	if !m.choose(l, s, known, offered) {
		return Media{}, fmt.Errorf("%w: %s; we have %v", ErrNoCodec, s.describeFormats(), l.Codecs)
	}
	if l.DTMF {
		m.chooseEvents(known, offered)
	}
	m.RTCPMux = l.RTCPMux && s.RTCPMux
	m.Remote, m.RemoteRTCP = s.remotes(m.RTCPMux)
	if s.Addr.IsValid() && s.Addr.IsUnspecified() {
		// The old way to say hold (RFC 3264 section 8.4): the peer takes nothing.
		m.Direction = m.Direction.And(RecvOnly)
	}
	return m, nil
}

// choose takes the first format of the peer's that we have too. Of an offer Opus comes last, whatever the peer
// prefers, unless we prefer it: a call costs the box some seven times as much. Who answers sends what it
// names first, so of an answer the order holds.
func (m *Media) choose(l *Local, s *Stream, known, offered []format) bool {
	late := offered == nil && !l.prefers(codec.Opus)
	for _, last := range [...]bool{false, true} {
		for _, f := range known {
			reserve := slices.Contains(l.Reserve, f.id)
			if !f.id.Audio() || !reserve && !slices.Contains(l.Codecs, f.id) || (reserve || late && f.id == codec.Opus) != last {
				continue
			}
			recv, ok := received(offered, f)
			if !ok {
				continue
			}
			if m.Codec, m.SendPT, m.RecvPT = f.id, f.pt, recv; f.id == codec.Opus {
				m.Opus = s.opus(f.pt)
				m.Ptime = opusTime(m.Ptime)
			}
			return true
		}
	}
	return false
}

func (l *Local) prefers(id codec.ID) bool { return len(l.Codecs) > 0 && l.Codecs[0] == id }

// opusTime is a packet time that one frame of Opus has (RFC 7587 section 6.1): 10, 20, 40 or 60 ms.
func opusTime(ms int) int {
	switch ms {
	case 30:
		return 20
	case 50:
		return 40
	}
	return ms
}

// chooseEvents takes the telephone-events whose clock is that of the sound; beside Opus also those of 8,000 Hz,
// which is all that many phones have.
func (m *Media) chooseEvents(known, offered []format) {
	clocks := []int{codec.TelephoneEvent.ClockRate()}
	if m.Codec == codec.Opus {
		clocks = []int{codec.OpusClock, codec.TelephoneEvent.ClockRate()}
	}
	for _, clock := range clocks {
		for _, f := range known {
			if f.id != codec.TelephoneEvent || f.clock != clock {
				continue
			}
			recv, ok := received(offered, f)
			if !ok {
				continue
			}
			if m.EventSendPT, m.EventRecvPT = f.pt, recv; m.Codec == codec.Opus {
				m.Opus.EventClock = clock
			}
			return
		}
	}
}

// eventClock is the clock of the telephone-events that were agreed on, in Hz.
func (m *Media) eventClock() int {
	if m.Opus.EventClock != 0 {
		return m.Opus.EventClock
	}
	return codec.TelephoneEvent.ClockRate()
}

// received is the payload type under which we get format f.
func received(offered []format, f format) (uint8, bool) {
	if offered == nil {
		return f.pt, true
	}
	for _, o := range offered {
		if o.id == f.id && o.clock == f.clock {
			return o.pt, true
		}
	}
	return 0, false
}

// usable tells in words why a stream cannot be our audio.
func usable(l *Local, s *Stream) error {
	rtp, _ := profile(s.Proto)
	switch {
	case s.Kind != "audio":
		return fmt.Errorf("%w: %.20q is not audio", ErrNoAudio, s.Kind)
	case s.Port == 0:
		return fmt.Errorf("%w: the audio is refused or removed (port 0)", ErrNoAudio)
	case !rtp && strings.HasPrefix(strings.ToUpper(s.Proto), "UDP/TLS/"):
		return fmt.Errorf("%w: the keys are to be exchanged by DTLS (%s), which is for browsers", ErrNoAudio, s.Proto)
	case !rtp:
		return fmt.Errorf("%w: the transport %.30q is unknown", ErrNoAudio, s.Proto)
	}
	return reachable(l, s, ErrNoAudio)
}

// reachable tells in words, as a case of unusable, why nothing can be sent to a stream.
func reachable(l *Local, s *Stream, unusable error) error {
	switch {
	case !s.Addr.IsValid() && s.Host == "":
		return fmt.Errorf("%w: it has no connection address (c=)", unusable)
	case s.Addr.IsMulticast():
		return fmt.Errorf("%w: the address %s is multicast", unusable, s.Addr)
	case s.Addr.IsValid() && l.Addr.IsValid() && !s.Addr.IsUnspecified() && s.Addr.Is4() != l.Addr.Unmap().Is4():
		return fmt.Errorf("%w: the address %s is of another family than ours", unusable, s.Addr)
	}
	return nil
}

// remotes gives where RTP and RTCP go; zero when no address is known.
func (s *Stream) remotes(mux bool) (rtp, rtcp netip.AddrPort) {
	if !s.Addr.IsValid() || s.Addr.IsUnspecified() {
		return
	}
	rtp = netip.AddrPortFrom(s.Addr, s.Port)
	switch {
	case mux:
		return rtp, rtp
	case s.RTCP.Port() != 0:
		addr := s.RTCP.Addr()
		if !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() || addr.Is4() != s.Addr.Is4() {
			addr = s.Addr
		}
		return rtp, netip.AddrPortFrom(addr, s.RTCP.Port())
	case s.Port < 65535:
		return rtp, netip.AddrPortFrom(s.Addr, s.Port+1)
	}
	return rtp, netip.AddrPort{}
}

// packetTime is how much sound we put into a packet for this peer: what it asks for, else what we
// like, in steps of 10 ms from 10 to 60 and within its maxptime.
func packetTime(l *Local, s *Stream) int {
	ms := s.Ptime
	if ms < 10 || ms > 60 {
		ms = l.ptime()
	}
	if s.MaxPtime >= 10 {
		ms = min(ms, s.MaxPtime)
	}
	return ms / 10 * 10
}

func (l *Local) ptime() int {
	if l.Ptime < 10 || l.Ptime > 60 {
		return defaultPtime
	}
	return l.Ptime / 10 * 10
}

// layout gives the media lines that our next offer must have and which of them is ours: audio, or T.38 with
// l.Image. Who changes from one to the other uses the line of the one for the other (RFC 3264 section 8.3.3),
// but where the peer keeps a line for each.
func layout(l Local) (lines []Stream, ours int) {
	fresh := l.fresh()
	if l.Last == nil {
		return []Stream{fresh}, 0
	}
	last, err := Parse(l.Last)
	if err != nil {
		return []Stream{fresh}, 0
	}
	ours, other := -1, -1
	for i := range last.Streams {
		s := &last.Streams[i]
		t38 := s.isT38()
		switch {
		case t38 != (l.Image != nil) || !t38 && s.Kind != "audio":
			if s.Port != 0 && (t38 || s.Kind == "audio") {
				other = i
			}
		case s.Port != 0:
			return last.Streams, i
		case ours < 0:
			ours = i
		}
	}
	if ours < 0 && other >= 0 {
		ours, last.Streams[other] = other, fresh
	}
	if ours < 0 {
		return []Stream{fresh}, 0
	}
	return last.Streams, ours
}

// fresh is the first form of our line.
func (l *Local) fresh() Stream {
	switch {
	case l.Image != nil:
		return Stream{Kind: "image", Proto: "udptl", Formats: []string{"t38"}}
	case l.Security == SecurityRequired:
		return Stream{Kind: "audio", Proto: "RTP/SAVP"}
	}
	return Stream{Kind: "audio", Proto: "RTP/AVP"}
}

// offered numbers our formats: as in the previous body where they stood there, else the usual
// number, else the first dynamic one that is free.
func offered(l *Local, previous *Stream) []format {
	var want []format
	for _, id := range l.Codecs {
		if id.Audio() {
			want = append(want, format{id, id.PayloadType(), id.ClockRate()})
		}
	}
	if event := codec.TelephoneEvent; l.DTMF {
		want = append(want, format{event, event.PayloadType(), event.ClockRate()})
		if slices.Contains(l.Codecs, codec.Opus) {
			want = append(want, format{event, wideEvents, codec.OpusClock})
		}
	}
	type kind struct {
		id    codec.ID
		clock int
	}
	taken := make(map[uint8]bool)
	numbers := make(map[kind]uint8)
	for _, f := range previous.known() {
		k := kind{f.id, f.clock}
		if _, twice := numbers[k]; !twice {
			numbers[k] = f.pt
		}
		taken[f.pt] = true
	}
	out := make([]format, 0, len(want))
	for _, f := range want {
		k := kind{f.id, f.clock}
		pt, ok := numbers[k]
		if !ok {
			pt = f.pt
			for dyn := uint8(96); taken[pt] && dyn < 128; dyn++ {
				pt = dyn
			}
			numbers[k], taken[pt] = pt, true
		}
		out = append(out, format{f.id, pt, f.clock})
	}
	return out
}

// wideEvents is the payload type of telephone-events on the clock of Opus.
const wideEvents = 102

// describeFormats names what the peer has, for people who read the log.
func (s *Stream) describeFormats() string {
	var b strings.Builder
	b.WriteString("the peer has")
	for i, f := range s.Formats {
		if i == 8 {
			b.WriteString(" ...")
			break
		}
		name := f
		if m, ok := s.maps[f]; ok {
			name = m.name + "/" + strconv.Itoa(m.clock)
		} else if n, err := strconv.ParseUint(f, 10, 7); err == nil {
			if id, ok := codec.ByStaticPayloadType(uint8(n)); ok {
				name = id.Name()
			}
		}
		fmt.Fprintf(&b, " %.24q", name)
	}
	return b.String()
}
