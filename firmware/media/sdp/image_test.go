package sdp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// gateway is how a gateway asks for T.38 in the place of its audio.
var gateway = []string{
	"m=image 40012 udptl t38", "a=T38FaxVersion:0", "a=T38MaxBitRate:14400", "a=T38FaxFillBitRemoval:0",
	"a=T38FaxRateManagement:transferredTCF", "a=T38FaxMaxBuffer:262", "a=T38FaxMaxDatagram:400", "a=T38FaxUdpEC:t38UDPRedundancy",
}

func faxing(attributes ...string) Local {
	l := localIPv4()
	l.Image = &Image{attributes}
	return l
}

func linesOf(t *testing.T, body []byte) (out []string) {
	t.Helper()
	s, err := Parse(body)
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	for _, m := range s.Streams {
		out = append(out, fmt.Sprintf("%s %d %s %s", m.Kind, m.Port, m.Proto, strings.Join(m.Formats, " ")))
	}
	return out
}

func TestT38IsFoundWhereItTakesThePlaceOfTheAudio(t *testing.T) {
	audio, dead := "m=audio 5000 RTP/AVP 8", "m=audio 0 RTP/AVP 8"
	for _, c := range []struct {
		name  string
		lines []string
		want  bool
	}{
		{"alone", gateway, true},
		{"behind audio that is switched off", append([]string{dead}, gateway...), true},
		{"before audio that is switched off", append(slices.Clone(gateway), dead), true},
		{"in other letters", []string{"m=image 4000 UDPTL T38"}, true},
		{"beside audio that goes on", append([]string{audio}, gateway...), false},
		{"before audio that goes on", append(slices.Clone(gateway), audio), false},
		{"switched off", []string{"m=image 0 udptl t38"}, false},
		{"over TCP", []string{"m=image 4000 tcp t38"}, false},
		{"an image of another kind", []string{"m=image 4000 udptl t37"}, false},
		{"encrypted by DTLS (RFC 7345)", []string{"m=image 4000 UDP/TLS/UDPTL t38"}, false},
		{"none", []string{audio}, false},
	} {
		im, ok := offerOf(t, c.lines...).Image()
		if ok != c.want {
			t.Errorf("%s: %v", c.name, ok)
		}
		if c.name == "alone" && (len(im.Attributes) != 7 || im.Attributes[4] != "T38FaxMaxBuffer:262") {
			t.Errorf("attributes %q", im.Attributes)
		}
	}
}

func TestAttributesThatTheOtherMachineCannotHaveAreNotPassedOn(t *testing.T) {
	lines := []string{
		"m=image 4000 udptl t38", "a=T38FaxMaxDatagram:5000", "a=t38faxmaxdatagram : 1473", "a=T38FaxMaxDatagram:400",
		"a=T38FaxMaxDatagram:much", "a=T38VendorInfo:0 0 37", "a=T38FaxTranscodingJBIG", "a=T38Note:" + strings.Repeat("x", 200), "a=T38Bell:\a",
		"a=sendrecv", "a=ptime:20",
	}
	im, ok := offerOf(t, lines...).Image()
	want := []string{
		"T38FaxMaxDatagram:1472", "t38faxmaxdatagram :1472", "T38FaxMaxDatagram:400", "T38FaxMaxDatagram:much", "T38VendorInfo:0 0 37",
		"T38FaxTranscodingJBIG",
	}
	if !ok || !slices.Equal(im.Attributes, want) {
		t.Errorf("%q", im.Attributes)
	}
	for range 2 * maxT38 {
		lines = append(lines, "a=T38MaxBitRate:14400")
	}
	if im, _ := offerOf(t, lines...).Image(); len(im.Attributes) != maxT38 {
		t.Errorf("%d attributes", len(im.Attributes))
	}
}

func TestWithoutAnotherMachineT38IsRefusedAsBefore(t *testing.T) {
	if _, _, err := Answer(offerOf(t, gateway...), localIPv4()); !errors.Is(err, ErrNoAudio) {
		t.Error(err)
	}
}

func TestOfferAndAnswerOfT38ThereAndBack(t *testing.T) {
	attributes := []string{"T38FaxVersion:3", "T38FaxUdpEC:t38UDPFEC"}
	for _, c := range []struct {
		name                string
		before              []string // their audio
		ask                 []string // their T.38
		answer, back, again []string
	}{
		{
			"in the audio's own line",
			[]string{"m=audio 5000 RTP/AVP 8"},
			gateway,
			[]string{"image 16384 udptl t38"},
			[]string{"audio 16384 RTP/AVP 8 0 9 101"},
			[]string{"image 16384 udptl t38"},
		},
		{
			"in a line of its own",
			[]string{"m=audio 5000 RTP/AVP 8"},
			append([]string{"m=audio 0 RTP/AVP 8"}, gateway...),
			[]string{"audio 0 RTP/AVP 8", "image 16384 udptl t38"},
			[]string{"audio 16384 RTP/AVP 8 0 9 101", "image 0 udptl t38"},
			[]string{"audio 0 RTP/AVP 8 0 9 101", "image 16384 udptl t38"},
		},
	} {
		l := localIPv4()
		body, _, err := Answer(offerOf(t, c.before...), l)
		if err != nil {
			t.Fatal(err)
		}
		l.Last, l.Image = body, &Image{attributes}
		body, m, err := Answer(offerOf(t, c.ask...), l)
		if err != nil || !m.Image || m.Remote.String() != "192.0.2.15:40012" {
			t.Fatalf("%s: %+v, %v", c.name, m, err)
		}
		if got := linesOf(t, body); !slices.Equal(got, c.answer) {
			t.Errorf("%s: answered %q", c.name, got)
		}
		for _, a := range attributes {
			if !bytes.Contains(body, []byte("a="+a+"\r\n")) {
				t.Errorf("%s: no %s in\n%s", c.name, a, body)
			}
		}
		l.Last = body
		if again := Offer(l); !bytes.Equal(again, body) {
			t.Errorf("%s: a refresh changes\n%s\nto\n%s", c.name, body, again)
		}
		l.Image = nil
		offer := Offer(l)
		if got := linesOf(t, offer); !slices.Equal(got, c.back) {
			t.Errorf("%s: back to audio by %q", c.name, got)
		}
		reply := []string{"m=audio 5000 RTP/AVP 8"}
		if len(c.back) == 2 {
			reply = append(reply, "m=image 0 udptl t38")
		}
		if m, err := Accept(l, offerOf(t, reply...)); err != nil || m.Image {
			t.Errorf("%s: back in audio: %+v, %v", c.name, m, err)
		}
		l.Last, l.Image = offer, &Image{attributes}
		if got := linesOf(t, Offer(l)); !slices.Equal(got, c.again) {
			t.Errorf("%s: a second fax is offered by %q", c.name, got)
		}
	}
}

// A fax server may offer both in its first INVITE (ITU-T T.38 annex D). The audio is taken, the image refused with port 0,
// and each line stands where it stood (RFC 3264 section 6); image alone is no call that we can begin.
func TestT38BesideAudioInTheFirstOfferIsRefusedAndTheAudioTaken(t *testing.T) {
	audio := "m=audio 5000 RTP/AVP 8 0"
	for name, c := range map[string]struct{ offer, answer []string }{
		"audio first": {append([]string{audio}, gateway...), []string{"audio 20000 RTP/AVP 8", "image 0 udptl t38"}},
		"image first": {append(slices.Clone(gateway), audio), []string{"image 0 udptl t38", "audio 20000 RTP/AVP 8"}},
	} {
		l := localIPv4()
		body, m, err := Answer(offerOf(t, c.offer...), l)
		if err != nil || m.Image || m.Remote.String() != "192.0.2.15:5000" {
			t.Fatalf("%s: %+v, %v", name, m, err)
		}
		want := strings.ReplaceAll(strings.Join(c.answer, "\n"), "20000", fmt.Sprint(l.RTP))
		if got := strings.Join(linesOf(t, body), "\n"); got != want {
			t.Errorf("%s: answered\n%s\nwant\n%s", name, got, want)
		}
	}
	if _, _, err := Answer(offerOf(t, gateway...), localIPv4()); !errors.Is(err, ErrNoAudio) {
		t.Errorf("image alone: %v", err)
	}
}

func TestAnswersThatDoNotAgreeToT38(t *testing.T) {
	l := localIPv4()
	l.Last = Offer(l)
	l.Image = &Image{}
	for _, c := range []struct {
		name  string
		lines []string
	}{
		{"port 0", []string{"m=image 0 udptl t38"}},
		{"audio instead", []string{"m=audio 5000 RTP/AVP 8"}},
		{"no line", nil},
		{"another transport", []string{"m=image 4000 tcp t38"}},
		{"port 0 beside audio", []string{"m=audio 5000 RTP/AVP 8", "m=image 0 udptl t38"}},
		{"an address of another family", []string{"m=image 4000 udptl t38", "c=IN IP6 2001:db8::1"}},
		{"a multicast address", []string{"m=image 4000 udptl t38", "c=IN IP4 239.1.1.1"}},
	} {
		if m, err := Accept(l, offerOf(t, c.lines...)); !errors.Is(err, ErrNoImage) {
			t.Errorf("%s: %+v, %v", c.name, m, err)
		}
	}
	if m, err := Accept(l, offerOf(t, "m=audio 0 RTP/AVP 8", "m=image 4000 udptl t38")); err != nil || m.Remote.Port() != 4000 {
		t.Errorf("a line too many: %+v, %v", m, err)
	}
}

// Whatever a peer says of T.38, our answer and our offer to the other machine are well-formed, open one
// stream, and say nothing but T.38 attributes of printable letters.
func FuzzImage(f *testing.F) {
	head := "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
	f.Add([]byte(head + strings.Join(gateway, "\r\n")))
	f.Add([]byte(head + "m=audio 0 RTP/AVP 8\r\nm=image 1 UDPTL t38\r\na=T38FaxMaxDatagram:99999\r\na=t38:\x7f\r\nm=image 2 udptl T38"))
	f.Add([]byte(head + "m=image 65535 udptl t38 x\r\nc=IN IP4 0.0.0.0\r\na=T38"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := Parse(body)
		if err != nil {
			return
		}
		im, ok := s.Image()
		if _, err := Accept(faxing(), s); err != nil && !errors.Is(err, ErrNoImage) {
			t.Fatalf("accept: %v", err)
		}
		if !ok {
			return
		}
		l := faxing(im.Attributes...)
		answer, m, err := Answer(s, l)
		if err != nil {
			if !errors.Is(err, ErrNoImage) || answer != nil {
				t.Fatalf("%v", err)
			}
			return
		}
		if !m.Image {
			t.Fatalf("%+v", m)
		}
		l.Last = answer
		for _, ours := range [][]byte{answer, Offer(l)} {
			back, err := Parse(ours)
			if err != nil || len(back.Streams) != len(s.Streams) {
				t.Fatalf("%v\n%q", err, ours)
			}
			open := 0
			for i := range back.Streams {
				if x := &back.Streams[i]; x.Port != 0 {
					open++
					if !x.isT38() || !slices.Equal(x.T38, im.Attributes) {
						t.Fatalf("%q became %q", im.Attributes, x.T38)
					}
				}
			}
			if open != 1 {
				t.Fatalf("%d open\n%q", open, ours)
			}
			for line := range bytes.Lines(ours) {
				for _, c := range bytes.TrimSpace(line) {
					if line[0] == 'a' && (c < ' ' || c > '~') {
						t.Fatalf("%q", line)
					}
				}
			}
		}
		l.Image = nil
		if b, err := Parse(Offer(l)); err != nil || len(b.Streams) != len(s.Streams) {
			t.Fatalf("back to audio: %v", err)
		}
	})
}
