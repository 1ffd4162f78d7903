package dsp

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// sender makes caller id as an exchange sends it.
type sender struct {
	mark, space float64 // Hz
	baud        float64
	level       float64 // dBm0 of the mark
	twist       float64 // dB by which the space is stronger
	off         float64 // Hz
	seizure     int     // bits
	marks       int     // bits
	stuffed     int     // bits of mark between bytes
}

var (
	v23     = sender{mark: 1300, space: 2100, baud: 1200, level: -13.5, seizure: 300, marks: 180}
	bell202 = sender{mark: 1200, space: 2200, baud: 1200, level: -13.5, seizure: 300, marks: 180}
)

// sound is a message, with silence around it.
func (s sender) sound(message []byte) []int16 {
	var bits []bool
	for i := range s.seizure {
		bits = append(bits, i%2 == 1)
	}
	marks := func(n int) {
		for range n {
			bits = append(bits, true)
		}
	}
	marks(s.marks)
	for _, b := range message {
		bits = append(bits, false)
		for i := range 8 {
			bits = append(bits, b>>i&1 == 1)
		}
		marks(1 + s.stuffed)
	}
	marks(4)
	pcm := make([]int16, 800)
	phase := 0.0
	for n := 0; ; n++ {
		at := int(float64(n) * s.baud / SampleRate)
		if at >= len(bits) {
			break
		}
		hz, level := s.mark, s.level
		if !bits[at] {
			hz, level = s.space, s.level+s.twist
		}
		phase += 2 * math.Pi * (hz + s.off) / SampleRate
		pcm = append(pcm, clip(float32(Amplitude(level)*math.Sin(phase))))
	}
	return append(pcm, make([]int16, 800)...)
}

// spoilt adds white noise below the sender's level by a ratio in dB, over the whole band.
func (s sender) spoilt(pcm []int16, snr float64, random *rand.Rand) []int16 {
	rms := Amplitude(s.level-snr) / math.Sqrt2
	for i, v := range pcm {
		pcm[i] = clip(float32(float64(v) + rms*random.NormFloat64()))
	}
	return pcm
}

// mdmf is a whole message of fields, each a type and a value.
func mdmf(fields ...any) []byte {
	m := []byte{mdmfCaller, 0}
	for i := 0; i < len(fields); i += 2 {
		v := fields[i+1].(string)
		m = append(append(m, byte(fields[i].(int)), byte(len(v))), v...)
	}
	return sealed(m)
}

// sealed sets length and checksum.
func sealed(m []byte) []byte {
	m[1] = byte(len(m) - 2)
	return append(m, -checksum(m))
}

func callerOf(number string) []byte {
	return mdmf(fieldDate, "11281530", fieldNumber, number, fieldName, "ROSSI MARIO")
}

// received is the message that is heard, in frames of 20 ms.
func received(pcm []int16) (message []byte) {
	var c CallerFSK
	for i := 0; i+160 <= len(pcm); i += 160 {
		if m := c.Process(pcm[i : i+160]); m != nil {
			message = slices.Clone(m)
		}
	}
	return message
}

func TestCallerIDIsReceivedAtTheLimitsOfItsModems(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, change := range map[string]func(*sender){
		"as it should be":                   func(*sender) {},
		"weak":                              func(s *sender) { s.level = -36 },
		"loud":                              func(s *sender) { s.level = 0 },
		"1.5 % high":                        func(s *sender) { s.off = 25 },
		"1.5 % low":                         func(s *sender) { s.off = -25 },
		"fast bits":                         func(s *sender) { s.baud = 1212 },
		"slow bits":                         func(s *sender) { s.baud = 1188 },
		"space 8 dB stronger":               func(s *sender) { s.twist = 8; s.level = -22 },
		"space 8 dB weaker":                 func(s *sender) { s.twist = -8 },
		"no seizure, as in a conversation":  func(s *sender) { s.seizure, s.marks = 0, 80 },
		"few bits of mark":                  func(s *sender) { s.marks = 55 },
		"ten bits of mark between all":      func(s *sender) { s.stuffed = 10 },
		"seizure begins without an order":   func(s *sender) { s.seizure = 97 },
		"weak, 1 % off and a sloping line":  func(s *sender) { s.level, s.off, s.twist = -32, 18, -6 },
		"fast bits and twenty bits of mark": func(s *sender) { s.baud, s.stuffed = 1212, 20 },
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range []sender{v23, bell202} {
				change(&s)
				want := callerOf("0551234567")
				if got := received(s.spoilt(s.sound(want), 25, random)); !slices.Equal(got, want) {
					t.Errorf("%v Hz: %q", s.mark, got)
				}
			}
		})
	}
}

// receivedOf sends a number of messages at random levels and offsets within the standards, 15 dB above noise,
// and counts those received.
func receivedOf(s sender, messages int) (sound int) {
	random := rand.New(rand.NewPCG(15, uint64(s.mark)))
	for range messages {
		s.level, s.off, s.baud = -8-24*random.Float64(), 20*random.Float64()-10, 1188+24*random.Float64()
		s.twist = 4*random.Float64() - 2
		want := callerOf(fmt.Sprintf("0%09d", random.IntN(1e9)))
		pcm := append(make([]int16, random.IntN(160)), s.sound(want)...)
		if slices.Equal(received(s.spoilt(pcm, 15, random)), want) {
			sound++
		}
	}
	return sound
}

func TestCallerIDIsReceived15dBAboveNoise(t *testing.T) {
	messages := 200
	if testing.Short() {
		messages = 50
	}
	for _, s := range []sender{v23, bell202} {
		if got := receivedOf(s, messages); float64(got) < 0.99*float64(messages) {
			t.Errorf("%v Hz: %d of %d", s.mark, got, messages)
		}
	}
}

func TestSpeechMusicAndNoiseCarryNoCallerID(t *testing.T) {
	hear := func(pcm []int16) {
		if m := received(pcm); m != nil {
			t.Errorf("a message: %x", m)
		}
	}
	voices(t, hear)
	hear(tune(3, 60))
	hear(newExchange(1).noiseOf(time.Minute))
}

// noiseOf is loud white noise.
func (x *exchange) noiseOf(length time.Duration) []int16 {
	x.silent(length)
	return x.noise(-12).pcm
}

func TestCallerIDMessagesAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		message []byte
		want    CallerID
	}{
		"number and name": {callerOf("0551234567"), CallerID{Number: "0551234567", Name: "ROSSI MARIO", Month: 11, Day: 28, Hour: 15, Min: 30}},
		"restricted":      {mdmf(fieldDate, "01020304", fieldAbsent, "P"), CallerID{Absent: Restricted, Month: 1, Day: 2, Hour: 3, Min: 4}},
		"out of area":     {mdmf(fieldAbsent, "O", fieldNameAbsent, "P"), CallerID{Absent: OutOfArea, NameAbsent: Restricted}},
		"nothing":         {mdmf(), CallerID{Absent: OutOfArea}},
		"international":   {mdmf(fieldNumber, "+39 055-123"), CallerID{Number: "+39055123"}},
		"forwarded":       {mdmf(fieldNumber, "055", fieldRedirecting, "066"), CallerID{Number: "055", Redirecting: "066"}},
		"unknown fields":  {mdmf(0x11, "\x01", fieldNumber, "055", 0x42, "?"), CallerID{Number: "055"}},
		"accents":         {mdmf(fieldNumber, "055", fieldName, "NICCOL\xd2\x00 "), CallerID{Number: "055", Name: "NICCOLÒ"}},
		"SDMF":            {sealed([]byte("\x04\x00112815300551234567")), CallerID{Number: "0551234567", Month: 11, Day: 28, Hour: 15, Min: 30}},
		"SDMF, private":   {sealed([]byte("\x04\x0011281530P")), CallerID{Absent: Restricted, Month: 11, Day: 28, Hour: 15, Min: 30}},
		"bytes after it":  {append(mdmf(fieldNumber, "055"), 0, 0, 0), CallerID{Number: "055"}},
	} {
		if got, err := ParseCallerID(c.message); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, message := range map[string][]byte{
		"empty":             {},
		"cut":               callerOf("055")[:9],
		"checksum":          append(callerOf("055")[:len(callerOf("055"))-1], 1),
		"unknown type":      sealed([]byte("\x55\x00123")),
		"field too long":    sealed([]byte("\x80\x00\x02\x09123")),
		"letters":           mdmf(fieldNumber, "CASA"),
		"long number":       mdmf(fieldNumber, strings.Repeat("1", longestNumber+1)),
		"no date":           mdmf(fieldDate, "13000000"),
		"SDMF of two bytes": sealed([]byte("\x04\x0012")),
	} {
		if got, err := ParseCallerID(message); err == nil || got != (CallerID{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := ParseCallerID(sealed([]byte("\x82\x00\x0b\x01\xff"))); !errors.Is(err, ErrNoCaller) {
		t.Errorf("waiting voice mail: %v", err)
	}
}

// dialledID is the caller id that is heard in digits.
func dialledID(pcm []int16) (ids []CallerID) {
	var c CallerDTMF
	for i := 0; i+160 <= len(pcm); i += 160 {
		if id, ok := c.Process(pcm[i : i+160]); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestCallerIDIsReceivedInDigits(t *testing.T) {
	for keys, want := range map[string][]CallerID{
		"A0551234567#":                    {{Number: "0551234567"}},
		"A0551234567C":                    {{Number: "0551234567"}},
		"A0551234567D066123C":             {{Number: "0551234567", Redirecting: "066123"}},
		"A0551234567":                     {{Number: "0551234567"}},
		"D0551234567C":                    {{Number: "0551234567"}},
		"0551234567#":                     {{Number: "0551234567"}},
		"0551234567":                      nil, // somebody dials
		"D1#":                             {{Absent: Restricted}},
		"D2#":                             {{Absent: OutOfArea}},
		"B10C":                            {{Absent: Restricted}},
		"B00C":                            {{Absent: OutOfArea}},
		"#":                               nil,
		"AC":                              nil,
		"A11111111111111111111111111111#": nil,
		"A055123#A066456#":                {{Number: "055123"}, {Number: "066456"}},
	} {
		for _, ms := range []time.Duration{50, 70, 100} {
			tone, ok := Digits(keys, ms*time.Millisecond, ms*time.Millisecond)
			if !ok {
				t.Fatal(keys)
			}
			tone.Level = -16
			x := newExchange(uint64(ms))
			x.silent(300 * time.Millisecond)
			x.plays(tone, tone.Length()+time.Second)
			if got := dialledID(x.noise(-31).pcm); !slices.Equal(got, want) {
				t.Errorf("%s at %d ms: %+v", keys, ms, got)
			}
		}
	}
}

func TestReceivingCallerIDDoesNotAllocate(t *testing.T) {
	pcm := v23.sound(callerOf("0551234567"))
	c, d := new(CallerFSK), new(CallerDTMF)
	at := 0
	if n := testing.AllocsPerRun(40, func() {
		c.Process(pcm[at : at+160])
		d.Process(pcm[at : at+160])
		at += 160
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func FuzzParseCallerID(f *testing.F) {
	f.Add(callerOf("0551234567"))
	f.Add(sealed([]byte("\x04\x0011281530P")))
	f.Add([]byte{0x80, 0xff, 2})
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, m := range [][]byte{message, sealed(slices.Concat([]byte{mdmfCaller, 0}, message[:min(len(message), 250)]))} {
			id, err := ParseCallerID(m)
			if err != nil && id != (CallerID{}) {
				t.Errorf("%+v with %v", id, err)
			}
			if len(id.Number) > longestNumber || len([]rune(id.Name)) > longestName || strings.ContainsAny(id.Name, "\r\n\x00") {
				t.Errorf("%+v", id)
			}
		}
	})
}

func FuzzCallerDigits(f *testing.F) {
	f.Add("A0551234567D066B10", byte('C'))
	f.Fuzz(func(t *testing.T, keys string, terminator byte) {
		for _, k := range []byte(keys) {
			if !strings.ContainsRune("0123456789*ABD", rune(k)) {
				return
			}
		}
		if id, ok := parseDigits([]byte(keys), terminator); !ok && id != (CallerID{}) || len(id.Number) > longestNumber {
			t.Errorf("%q: %+v, %v", keys, id, ok)
		}
	})
}

// Whatever is heard, the receiver does not fail.
func FuzzCallerFSK(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, uint8(3))
	f.Fuzz(func(t *testing.T, body []byte, flip uint8) {
		m := append([]byte{mdmfCaller, flip}, body[:min(len(body), 60)]...)
		pcm := v23.sound(m)
		if got := received(pcm); got != nil && checksum(got) != 0 {
			t.Errorf("%x", got)
		}
	})
}

func BenchmarkCallerFSK(b *testing.B) {
	pcm := v23.sound(callerOf("0551234567"))
	var c CallerFSK
	b.ReportAllocs()
	at := 0
	for b.Loop() {
		c.Process(pcm[at : at+160])
		at = (at + 160) % (len(pcm) - 160)
	}
}
