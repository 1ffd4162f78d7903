package fxo

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// coding is how a sample is written. The zero value is one that we do not read: ADPCM, or a vendor's own.
type coding uint8

const (
	unreadable coding = iota
	unsigned8         // 128 is silence
	signed8
	muLaw
	aLaw
	signed16 // the low byte first
)

var codingNames = [...]string{"a coding that is not read here", "8-bit linear, unsigned", "8-bit linear, signed", "G.711 mu-law", "G.711 A-law", "16-bit linear"}

func (c coding) String() string { return codingNames[c] }

// worth ranks codings by what is left of soft speech: 8-bit linear has some 48 dB between full scale and its steps,
// G.711 has them finer where speech is soft.
func (c coding) worth() int {
	return [...]int{unreadable: 0, unsigned8: 1, signed8: 1, muLaw: 2, aLaw: 2, signed16: 3}[c]
}

// format is one line of the answer to AT+VSM=?: a way in which the modem gives and takes sound.
type format struct {
	code   int // of the compression method (V.253 table 17)
	coding coding
	values int // fields of the line: as many the command to choose it has, at most
}

// command chooses the format at 8,000 Hz, without compression of silence.
func (f format) command() string {
	c := fmt.Sprintf("AT+VSM=%d,%d", f.code, sampleRate)
	if f.values >= 6 { // <code>,<name>,<bits>,<marks>,<rates>,<silence>,<expansion>
		c += ",0"
	}
	if f.values >= 7 {
		c += ",0"
	}
	return c
}

// sampleRate is that of all sound in the box, in Hz.
const sampleRate = 8000

// parseFormat reads one line of the answer; named are the vendor's codes whose name says nothing. ok is false for a
// line that is no format, or one without 8,000 Hz.
func parseFormat(l string, named map[int]coding) (f format, ok bool) {
	if rest, found := strings.CutPrefix(l, "+VSM:"); found {
		l = rest
	}
	fields := splitList(l)
	if len(fields) < 3 {
		return format{}, false
	}
	code, err := strconv.Atoi(fields[0])
	if err != nil || code < 0 || code > 255 {
		return format{}, false
	}
	f = format{code: code, values: len(fields)}
	rates := fields[len(fields)-1]
	for _, at := range []int{4, 2} { // <code>,<name>,<bits>,<marks>,<rates>, or a short form without the two
		if at < len(fields) && offers(fields[at], sampleRate) {
			rates = fields[at]
			break
		}
	}
	if !offers(rates, sampleRate) {
		return format{}, false
	}
	bits := 0
	if len(fields) > 4 {
		bits, _ = strconv.Atoi(fields[2])
	}
	f.coding = codingOf(code, strings.ToUpper(fields[1]), bits, named)
	return f, true
}

// codingOf reads the name of a format first, then its code.
func codingOf(code int, name string, bits int, named map[int]coding) coding {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(name, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("ADPCM", "G.726", "G726", "G.723", "GSM"):
		return unreadable
	case has("ULAW", "U-LAW", "MULAW", "MU-LAW", "µ"):
		return muLaw
	case has("ALAW", "A-LAW"):
		return aLaw
	case has("UNSIGNED") && bits <= 8:
		return unsigned8
	case has("SIGNED") && !has("UNSIGNED") && bits == 16, has("16-BIT LINEAR", "16 BIT LINEAR", "LINEAR16"):
		return signed16
	case has("SIGNED") && !has("UNSIGNED") && bits <= 8:
		return signed8
	case has("LINEAR", "PCM") && (bits == 8 || has("8-BIT", "8 BIT")):
		return unsigned8
	}
	if c, ok := named[code]; ok {
		return c
	}
	switch code { // V.253 table 17; codes from 128 on are the vendor's
	case 0:
		return signed8
	case 1:
		return unsigned8
	case 4:
		return muLaw
	case 5:
		return aLaw
	}
	return unreadable
}

// splitList splits at commas outside of quotes and of round brackets.
func splitList(l string) (fields []string) {
	var b strings.Builder
	quoted, deep := false, 0
	for _, c := range []byte(strings.TrimSpace(l)) {
		switch {
		case c == '"':
			quoted = !quoted
			continue
		case c == '(' && !quoted:
			deep++
		case c == ')' && !quoted && deep > 0:
			deep--
		case c == ',' && !quoted && deep == 0:
			fields = append(fields, strings.TrimSpace(b.String()))
			b.Reset()
			continue
		}
		b.WriteByte(c)
	}
	return append(fields, strings.TrimSpace(b.String()))
}

// offers reports whether a list such as "(7200,8000)", "7200-11025" or "8000" holds n.
func offers(list string, n int) bool {
	for part := range strings.SplitSeq(strings.Trim(list, "()"), ",") {
		low, high, ranged := strings.Cut(strings.Trim(part, "() "), "-")
		if !ranged {
			high = low
		}
		from, err1 := strconv.Atoi(strings.TrimSpace(low))
		to, err2 := strconv.Atoi(strings.TrimSpace(high))
		if err1 == nil && err2 == nil && from <= n && n <= to {
			return true
		}
	}
	return false
}

// bestFormat is the one that loses least of those which the modem names; ok is false when we read none.
func bestFormat(lines []string, named map[int]coding) (best format, ok bool) {
	for _, l := range lines {
		if f, is := parseFormat(l, named); is && f.coding.worth() > best.coding.worth() {
			best, ok = f, true
		}
	}
	return best, ok
}

// expand appends the samples of whole values in p to dst, and returns how many bytes are left over.
func (c coding) expand(dst []int16, p []byte) (out []int16, left int) {
	switch c {
	case unsigned8:
		for _, b := range p {
			dst = append(dst, int16(int(b)-128)<<8)
		}
	case signed8:
		for _, b := range p {
			dst = append(dst, int16(int8(b))<<8)
		}
	case muLaw:
		for _, b := range p {
			dst = append(dst, codec.MuLawToLinear(b))
		}
	case aLaw:
		for _, b := range p {
			dst = append(dst, codec.ALawToLinear(b))
		}
	case signed16:
		for ; len(p) >= 2; p = p[2:] {
			dst = append(dst, int16(binary.LittleEndian.Uint16(p)))
		}
		return dst, len(p)
	}
	return dst, 0
}

// compress appends pcm in the coding. rough is the state of a dither of one step: without it speech softer than a step
// of 8-bit linear would vanish, and what is a little louder would grate.
func (c coding) compress(dst []byte, pcm []int16, rough *uint32) []byte {
	for _, v := range pcm {
		switch c {
		case unsigned8:
			dst = append(dst, byte(coarse(v, rough)+128))
		case signed8:
			dst = append(dst, byte(int8(coarse(v, rough))))
		case muLaw:
			dst = append(dst, codec.LinearToMuLaw(v))
		case aLaw:
			dst = append(dst, codec.LinearToALaw(v))
		case signed16:
			dst = binary.LittleEndian.AppendUint16(dst, uint16(v))
		}
	}
	return dst
}

// coarse rounds to 8 bits with a dither; digital silence stays silent.
func coarse(v int16, rough *uint32) int {
	if v == 0 {
		return 0
	}
	*rough = *rough*1664525 + 1013904223
	return max(-128, min(127, (int(v)+int(*rough>>24))>>8))
}
