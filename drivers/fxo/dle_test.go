package fxo

import (
	"bytes"
	"slices"
	"testing"
)

// streamOf is what a decoder gives of p cut at the given places, and where it ended.
func streamOf(p []byte, cuts ...int) (samples, events []byte, taken int, ended bool) {
	var d decoder
	from := 0
	for _, to := range append(cuts, len(p)) {
		if ended {
			break
		}
		var n int
		samples, n, ended = d.decode(samples, p[from:to], func(c byte) { events = append(events, c) })
		from, taken = to, taken+n
	}
	return samples, events, taken, ended
}

func TestDecoderTakesTheShieldOffAStream(t *testing.T) {
	for _, c := range []struct {
		name, in, samples, events string
		taken                     int
		ended                     bool
	}{
		{"plain samples pass", "abc", "abc", "", 3, false},
		{"a doubled DLE is one sample", "a\x10\x10b", "a\x10b", "", 4, false},
		{"SUB after DLE is two samples", "a\x10\x1ab", "a\x10\x10b", "", 4, false},
		{"an event is no sample", "a\x10bc", "ac", "b", 4, false},
		{"the events of a digit are passed in order", "\x10/\x105\x10~", "", "/5~", 6, false},
		{"ETX ends it and the rest is left", "ab\x10\x03\r\nOK\r\n", "ab", "", 4, true},
		{"a packet is passed over", "a\x10Xid=0612\x10.b", "ab", "", 13, false},
		{"a packet that never ends is damage", "\x10X" + string(bytes.Repeat([]byte{'z'}, 300)), string(bytes.Repeat([]byte{'z'}, 44)), "", 302, false},
		{"a DLE at the end waits", "ab\x10", "ab", "", 3, false},
		{"ETX within a packet ends the stream", "\x10Xid\x10\x03", "", "", 6, true},
	} {
		var d decoder
		var events []byte
		got, taken, ended := d.decode(nil, []byte(c.in), func(e byte) { events = append(events, e) })
		if string(got) != c.samples || string(events) != c.events || taken != c.taken || ended != c.ended {
			t.Errorf("%s: samples %q, events %q, taken %d, ended %v", c.name, got, events, taken, ended)
		}
	}
}

func TestShieldIsTakenOffAgain(t *testing.T) {
	var all []byte
	for i := range 512 {
		all = append(all, byte(i*7), dle)
	}
	var d decoder
	got, _, ended := d.decode(nil, shield(nil, all), func(c byte) { t.Errorf("event %q", c) })
	if !bytes.Equal(got, all) || ended {
		t.Error("the stream changed on its way")
	}
}

// Whatever a modem sends: cut anywhere, the same comes out.
func FuzzStreamIsTheSameHoweverItIsCut(f *testing.F) {
	f.Add([]byte("ab\x10\x10c\x10\x1a\x10b\x10Xid\x10.x\x10\x03OK"), uint16(3), uint16(9))
	f.Add([]byte("\x10"), uint16(0), uint16(1))
	f.Fuzz(func(t *testing.T, p []byte, a, b uint16) {
		cuts := []int{int(a) % (len(p) + 1), int(b) % (len(p) + 1)}
		slices.Sort(cuts)
		every := make([]int, len(p))
		for i := range every {
			every[i] = i
		}
		whole, said, taken, ended := streamOf(p)
		for _, at := range [][]int{cuts, every} {
			cut, saidCut, takenCut, endedCut := streamOf(p, at...)
			if !bytes.Equal(whole, cut) || !bytes.Equal(said, saidCut) || taken != takenCut || ended != endedCut {
				t.Errorf("whole %q %q %d %v, cut at %v %q %q %d %v", whole, said, taken, ended, at, cut, saidCut, takenCut, endedCut)
			}
		}
	})
}
