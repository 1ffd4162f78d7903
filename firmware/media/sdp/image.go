package sdp

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrNoImage means that a description has no T.38 stream that could be passed on; it comes wrapped with
// the reason in words and means 488.
var ErrNoImage = errors.New("no usable T.38 stream")

// The limits of what a T.38 description may say.
const (
	maxT38       = 24  // attributes
	maxT38Length = 128 // bytes of one

	// MaxDatagram is the longest UDPTL datagram that we pass on, in bytes: what an Ethernet frame holds
	// beside the headers of IPv4 and UDP.
	MaxDatagram = 1472
)

// Image is a stream of T.38 over UDPTL in the place of the audio (ITU-T T.38 annex D).
type Image struct {
	// Attributes are those of T.38 as their owner wrote them, such as "T38FaxVersion:0". Two machines
	// agree on them with each other; who stands between them passes them on.
	Attributes []string
}

// Image is the T.38 stream that a description asks for, or agrees to, in the place of its audio. ok is
// false when it has none, or has audio as well: then the audio is meant to go on.
func (s *Session) Image() (im Image, ok bool) {
	for i := range s.Streams {
		t := &s.Streams[i]
		switch {
		case t.Port == 0:
		case t.Kind == "audio":
			return Image{}, false
		case t.isT38() && !ok:
			im, ok = Image{t.passable()}, true
		}
	}
	return im, ok
}

// isT38 reports whether the stream is T.38 over UDPTL, open or not.
func (s *Stream) isT38() bool {
	return s.Kind == "image" && strings.EqualFold(s.Proto, "udptl") && strings.EqualFold(s.Formats[0], "t38")
}

// t38 keeps an attribute of T.38; one that could not be repeated in a line of ours is left out.
func (s *Stream) t38(value string) {
	if len(s.T38) >= maxT38 || len(value) > maxT38Length {
		return
	}
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' {
			return
		}
	}
	s.T38 = append(s.T38, value)
}

// passable are the attributes of the stream as the other machine may read them: nobody must be promised
// datagrams longer than those that we pass on.
func (s *Stream) passable() []string {
	out := make([]string, 0, len(s.T38))
	for _, a := range s.T38 {
		name, value, _ := strings.Cut(a, ":")
		if strings.EqualFold(strings.TrimSpace(name), "T38FaxMaxDatagram") {
			if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32); err == nil && n > MaxDatagram {
				a = name + ":" + strconv.Itoa(MaxDatagram)
			}
		}
		out = append(out, a)
	}
	return out
}

// agreeImage settles a T.38 stream of the peer. The Codec of the outcome is none: whoever had audio before
// keeps that for later.
func agreeImage(l *Local, s *Stream) (Media, error) {
	switch {
	case !s.isT38():
		return Media{}, fmt.Errorf("%w: %.20q over %.30q is not T.38 over UDPTL", ErrNoImage, s.Kind, s.Proto)
	case s.Port == 0:
		return Media{}, fmt.Errorf("%w: it is refused or removed (port 0)", ErrNoImage)
	}
	if err := reachable(l, s, ErrNoImage); err != nil {
		return Media{}, err
	}
	m := Media{Image: true}
	if s.Addr.IsValid() && !s.Addr.IsUnspecified() {
		m.Remote = netip.AddrPortFrom(s.Addr, s.Port)
	}
	return m, nil
}

// answerImage accepts the first T.38 stream that can be passed on, and refuses all else.
func answerImage(offer *Session, l Local) (body []byte, m Media, err error) {
	ours := -1
	for i := range offer.Streams {
		s := &offer.Streams[i]
		if !s.isT38() || s.Port == 0 {
			continue
		}
		if m, err = agreeImage(&l, s); err == nil {
			ours = i
			break
		}
	}
	if ours < 0 {
		return nil, Media{}, err
	}
	body = l.write(func(w *writer) {
		for i, s := range offer.Streams {
			if i != ours {
				w.refuse(s)
				continue
			}
			w.image(&l, s.Proto, s.Formats[0])
		}
	})
	return body, m, nil
}

// image writes our line of T.38.
func (w *writer) image(l *Local, proto, format string) {
	w.line("m=image %d %s %s", l.RTP, proto, format)
	for _, a := range l.Image.Attributes {
		w.line("a=%s", a)
	}
}

// acceptImage reads the answer to an offer of T.38 with so many lines, of which one was ours.
func acceptImage(offer *Local, answer *Session, lines, ours int) (Media, error) {
	if len(answer.Streams) == lines {
		return agreeImage(offer, &answer.Streams[ours])
	}
	why := fmt.Errorf("%w: it has no media line", ErrNoImage)
	for i := range answer.Streams {
		m, err := agreeImage(offer, &answer.Streams[i])
		if err == nil {
			return m, nil
		}
		why = err
	}
	return Media{}, why
}
