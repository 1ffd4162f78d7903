package sdp

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMalformedDescriptionsAreRefusedWithTheLine(t *testing.T) {
	const head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
	for _, c := range []struct{ name, body, words string }{
		{"nothing", "", "empty"},
		{"blank lines", "\r\n\r\n", "empty"},
		{"another version", "v=1\r\n", "line 1"},
		{"a page", "<html>", "line 1"},
		{"a line without =", head + "nonsense\r\n", "line 6"},
		{"a media line that ends early", head + "m=audio 5000 RTP/AVP\r\n", "line 6"},
		{"a port that is a word", head + "m=audio many RTP/AVP 8\r\n", "port"},
		{"a port that is too large", head + "m=audio 65536 RTP/AVP 8\r\n", "port"},
		{"a negative port", head + "m=audio -1 RTP/AVP 8\r\n", "port"},
		{"a connection of another world", head + "c=ATM NSAP 47.0091\r\n", "connection"},
		{"too many media lines", head + strings.Repeat("m=audio 5000 RTP/AVP 8\r\n", MaxStreams+1), "media lines"},
		{"too many lines", head + strings.Repeat("a=x\r\n", MaxLines), "lines"},
		{"too many formats", head + "m=audio 5000 RTP/AVP" + strings.Repeat(" 8", maxFormats+1) + "\r\n", "formats"},
		{"too many bytes", head + strings.Repeat("x", MaxBytes), "bytes"},
	} {
		s, err := Parse([]byte(c.body))
		if !errors.Is(err, ErrMalformed) || s != nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want malformed with %q", c.name, err, c.words)
		}
	}
}

func TestSloppyDescriptionsAreUnderstood(t *testing.T) {
	// Bare line feeds, lines out of order, no t= line, spaces at line ends, attributes in capitals.
	s, err := Parse([]byte("v=0\nc=IN IP4 192.0.2.1 \no=- 1 2 IN IP4 192.0.2.1\nm=AUDIO 4000 rtp/avp 8  0\na=SENDONLY\na=PTIME:30\nb=\n"))
	if err != nil || len(s.Streams) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	m := s.Streams[0]
	if m.Kind != "audio" || m.Port != 4000 || m.Direction != SendOnly || m.Ptime != 30 || len(m.Formats) != 2 || !m.Addr.IsValid() {
		t.Errorf("%+v", m)
	}
	if _, out, err := Answer(s, localIPv4()); err != nil || out.Direction != RecvOnly {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestMediaLevelOverridesSessionLevel(t *testing.T) {
	s, err := Parse([]byte("v=0\r\nc=IN IP4 192.0.2.1\r\na=sendonly\r\na=ptime:30\r\n" +
		"m=audio 4000 RTP/AVP 8\r\nc=IN IP4 192.0.2.2\r\na=recvonly\r\na=ptime:10\r\nm=audio 4002 RTP/AVP 8\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := s.Streams[0], s.Streams[1]
	if a.Addr.String() != "192.0.2.2" || a.Direction != RecvOnly || a.Ptime != 10 {
		t.Errorf("own words lost: %+v", a)
	}
	if b.Addr.String() != "192.0.2.1" || b.Direction != SendOnly || b.Ptime != 30 {
		t.Errorf("session's words lost: %+v", b)
	}
}

// No offer may panic us, every answer must parse, have a line for each of the offer's, and accept
// at most one of them.
func FuzzParseAndAnswer(f *testing.F) {
	offers, err := filepath.Glob("testdata/golden/*.offer")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range offers {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("v=0\nm=audio 65535 RTP/AVP 8\nc=IN IP4 1.2.3.4\na=rtcp:\na=rtpmap:8\na=rtpmap: x/y\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := Parse(body)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v", err)
			}
			return
		}
		l := localIPv4()
		l.Security = SecurityAccepted
		l.Keys = []Crypto{{AESCM128SHA80, keyOf(AESCM128SHA80, 1), ""}, {AEADAES256GCM, keyOf(AEADAES256GCM, 1), ""}}
		if _, err := Accept(l, s); err != nil && !errors.Is(err, ErrNoAudio) && !errors.Is(err, ErrNoCodec) {
			t.Fatalf("accept: %v", err)
		}
		answer, m, err := Answer(s, l)
		if err != nil {
			if !errors.Is(err, ErrNoAudio) && !errors.Is(err, ErrNoCodec) {
				t.Fatalf("answer: %v", err)
			}
			return
		}
		back, err := Parse(answer)
		if err != nil {
			t.Fatalf("%v\n%q", err, answer)
		}
		if len(back.Streams) != len(s.Streams) {
			t.Fatalf("%d lines answered with %d", len(s.Streams), len(back.Streams))
		}
		open := 0
		for _, a := range back.Streams {
			if a.Port != 0 {
				open++
			}
		}
		if m.SendKey.Suite != m.RecvKey.Suite {
			t.Fatalf("one direction is encrypted: %+v", m)
		}
		if open != 1 || !m.Codec.Audio() || m.Ptime < 10 || m.Ptime > 60 {
			t.Fatalf("%d lines open, %+v", open, m)
		}
		l.Last = answer
		if re, err := Parse(Offer(l)); err != nil || len(re.Streams) != len(s.Streams) {
			t.Fatalf("re-offer: %v", err)
		}
	})
}
