package sdp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

func offerOf(t *testing.T, lines ...string) *Session {
	t.Helper()
	s, err := Parse([]byte("v=0\r\no=- 5 6 IN IP4 192.0.2.15\r\ns=-\r\nc=IN IP4 192.0.2.15\r\nt=0 0\r\n" + strings.Join(lines, "\r\n") + "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOurFirstOfferNamesWhatWeHave(t *testing.T) {
	l := localIPv4()
	l.RTCPMux, l.RTCP = false, 20001
	want := "v=0\r\no=- 7001 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
		"m=audio 16384 RTP/AVP 8 0 9 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\n" +
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=rtcp:20001\r\na=sendrecv\r\n"
	if got := string(Offer(l)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTheDirectionOfAnAnswerMirrorsTheOfferWithinOurWill(t *testing.T) {
	// RFC 3264 section 6.1 with our will beside it.
	for offer, answers := range map[Direction][4]Direction{
		//         we would: SendRecv, SendOnly, RecvOnly, Inactive
		SendRecv: {SendRecv, SendOnly, RecvOnly, Inactive},
		SendOnly: {RecvOnly, Inactive, RecvOnly, Inactive},
		RecvOnly: {SendOnly, SendOnly, Inactive, Inactive},
		Inactive: {Inactive, Inactive, Inactive, Inactive},
	} {
		for ours, answer := range answers {
			l := localIPv4()
			l.Direction = Direction(ours)
			body, m, err := Answer(offerOf(t, "m=audio 5000 RTP/AVP 8", "a="+offer.String()), l)
			if err != nil || m.Direction != answer || !bytes.Contains(body, []byte("a="+answer.String()+"\r\n")) {
				t.Errorf("offer %v, we %v: %v, %v, want %v in\n%s", offer, l.Direction, m.Direction, err, answer, body)
			}
		}
	}
}

func TestEveryFormOfHoldAndEveryRefusedLineIsAnsweredAsRFC3264(t *testing.T) {
	for _, c := range []struct {
		name   string
		lines  []string // behind the session's c=
		answer Direction
		remote bool // we know where to send
		body   string
	}{
		{"the old hold", []string{"m=audio 5000 RTP/AVP 8", "c=IN IP4 0.0.0.0"}, RecvOnly, false, "m=audio 16384"},
		{"the old hold that also says sendonly", []string{"m=audio 5000 RTP/AVP 8", "c=IN IP4 0.0.0.0", "a=sendonly"}, RecvOnly, false, "m=audio 16384"},
		{"the old hold that says inactive", []string{"m=audio 5000 RTP/AVP 8", "c=IN IP4 0.0.0.0", "a=inactive"}, Inactive, false, "m=audio 16384"},
		{"the old hold that wants to receive", []string{"m=audio 5000 RTP/AVP 8", "c=IN IP4 0.0.0.0", "a=recvonly"}, Inactive, false, "m=audio 16384"},
		{"hold for the session", []string{"a=sendonly", "m=audio 5000 RTP/AVP 8"}, RecvOnly, true, "m=audio 16384"},
		{"hold for the session, not for the audio", []string{"a=sendonly", "m=audio 5000 RTP/AVP 8", "a=sendrecv"}, SendRecv, true, "m=audio 16384"},
		{"video that was taken away", []string{"m=audio 5000 RTP/AVP 8", "m=video 0 RTP/AVP 96"}, SendRecv, true, "m=video 0 RTP/AVP 96"},
		{"video before the audio", []string{"m=video 5002 RTP/AVP 96", "a=rtpmap:96 H264/90000", "m=audio 5000 RTP/AVP 8"}, SendRecv, true, "m=video 0 RTP/AVP 96\r\nm=audio 16384"},
		{"a fax line beside the audio", []string{"m=audio 5000 RTP/AVP 8", "m=image 5004 udptl t38"}, SendRecv, true, "m=image 0 udptl t38"},
		{"video with a direction of its own", []string{"m=audio 5000 RTP/AVP 8", "m=video 5002 RTP/AVP 96", "a=inactive"}, SendRecv, true, "a=sendrecv\r\nm=video 0"},
	} {
		body, m, err := Answer(offerOf(t, c.lines...), localIPv4())
		if err != nil || m.Direction != c.answer || m.Remote.IsValid() != c.remote || !strings.Contains(string(body), c.body) ||
			!strings.Contains(string(body), "a="+c.answer.String()+"\r\n") {
			t.Errorf("%s: %v, to %v, %v in\n%s", c.name, m.Direction, m.Remote, err, body)
		}
	}
}

func TestMirrorAndAndAreTheirTables(t *testing.T) {
	for d := SendRecv; d <= Inactive; d++ {
		if d.Mirror().Mirror() != d || d.Mirror().Sends() != d.Receives() {
			t.Errorf("%v mirrors to %v", d, d.Mirror())
		}
		for e := SendRecv; e <= Inactive; e++ {
			if and := d.And(e); and.Sends() != (d.Sends() && e.Sends()) || and.Receives() != (d.Receives() && e.Receives()) {
				t.Errorf("%v and %v = %v", d, e, and)
			}
		}
	}
}

func TestPacketTimeFollowsThePeerWithinReason(t *testing.T) {
	for _, c := range []struct {
		attributes string
		want       int
	}{
		{"", 20},
		{"a=ptime:30", 30},
		{"a=ptime:20.0", 20},
		{"a=ptime:10", 10},
		{"a=ptime:60", 60},
		{"a=ptime:0", 20},
		{"a=ptime:5", 20},
		{"a=ptime:400", 20},
		{"a=ptime:abc", 20},
		{"a=ptime:25", 20},
		{"a=ptime:60\r\na=maxptime:40", 40},
		{"a=maxptime:10", 10},
		{"a=maxptime:3", 20},
	} {
		_, m, err := Answer(offerOf(t, "m=audio 5000 RTP/AVP 8", c.attributes), localIPv4())
		if err != nil || m.Ptime != c.want {
			t.Errorf("%q: %d ms, %v; want %d", c.attributes, m.Ptime, err, c.want)
		}
	}
}

func TestStreamsThatCannotBeOursAreRefusedInWords(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  error
		words string
	}{
		{"no media line", nil, ErrNoAudio, "no media line"},
		{"a multicast address", []string{"m=audio 5000 RTP/AVP 8", "c=IN IP4 224.2.1.1/127"}, ErrNoAudio, "multicast"},
		{"an address of the other family", []string{"m=audio 5000 RTP/AVP 8", "c=IN IP6 2001:db8::1"}, ErrNoAudio, "family"},
		{"audio over TCP", []string{"m=audio 5000 TCP/RTP/AVP 8"}, ErrNoAudio, "TCP/RTP/AVP"},
		{"a stereo map on a known name", []string{"m=audio 5000 RTP/AVP 96", "a=rtpmap:96 PCMA/8000/2"}, ErrNoCodec, "PCMA/8000"},
		{"a wideband clock on a known name", []string{"m=audio 5000 RTP/AVP 96", "a=rtpmap:96 PCMA/16000"}, ErrNoCodec, "PCMA/16000"},
		{"only digits", []string{"m=audio 5000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"}, ErrNoCodec, "telephone-event"},
		{"a static number that its map denies", []string{"m=audio 5000 RTP/AVP 8", "a=rtpmap:8 opus/48000/2"}, ErrNoCodec, "opus"},
	} {
		_, _, err := Answer(offerOf(t, c.lines...), localIPv4())
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %v with %q", c.name, err, c.want, c.words)
		}
	}
}

func TestAnOfferWithoutAnyConnectionLineHasNoAudio(t *testing.T) {
	s, err := Parse([]byte("v=0\nm=audio 5000 RTP/AVP 8\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Answer(s, localIPv4()); !errors.Is(err, ErrNoAudio) || !strings.Contains(err.Error(), "c=") {
		t.Errorf("%v", err)
	}
}

func TestDynamicNumbersOfTheOffererAreKept(t *testing.T) {
	offer := offerOf(t, "m=audio 5000 RTP/AVP 105 97", "a=rtpmap:105 pcma/8000", "a=rtpmap:97 TELEPHONE-EVENT/8000")
	body, m, err := Answer(offer, localIPv4())
	if err != nil || m.Codec != codec.PCMA || m.SendPT != 105 || m.RecvPT != 105 || m.EventSendPT != 97 || m.EventRecvPT != 97 {
		t.Fatalf("%+v, %v", m, err)
	}
	if !bytes.Contains(body, []byte("m=audio 16384 RTP/AVP 105 97\r\n")) {
		t.Errorf("answer\n%s", body)
	}
}

func TestG722WithItsSamplingRateAsClockIsUnderstood(t *testing.T) {
	_, m, err := Answer(offerOf(t, "m=audio 5000 RTP/AVP 96", "a=rtpmap:96 G722/16000"), localIPv4())
	if err != nil || m.Codec != codec.G722 {
		t.Errorf("%+v, %v", m, err)
	}
}

// RFC 3264 section 6.1: the answerer may use other dynamic numbers; we then send with its and
// receive with ours.
func TestAnAnswerMayNumberDynamicFormatsItsOwnWay(t *testing.T) {
	m, err := Accept(localIPv4(), offerOf(t, "m=audio 5000 RTP/AVP 8 96", "a=rtpmap:96 telephone-event/8000", "a=recvonly"))
	if err != nil || m.Codec != codec.PCMA || m.EventSendPT != 96 || m.EventRecvPT != 101 || m.Direction != SendOnly {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestAnswersThatDoNotFitOurOfferAreRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  error
	}{
		{"a codec we did not offer", []string{"m=audio 5000 RTP/AVP 18"}, ErrNoCodec},
		{"port 0", []string{"m=audio 0 RTP/AVP 8"}, ErrNoAudio},
		{"no line", nil, ErrNoAudio},
		{"encryption we did not offer", []string{"m=audio 5000 RTP/SAVP 8"}, ErrNoAudio},
	} {
		if _, err := Accept(localIPv4(), offerOf(t, c.lines...)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// RFC 3264 section 8: a re-offer has the lines of the last exchange in their order, keeps the
// numbers of the formats, and raises the version by one only when something changed.
func TestAReofferKeepsLinesAndNumbersAndRaisesTheVersionOnlyOnChange(t *testing.T) {
	l := localIPv4()
	peer := offerOf(t, "m=video 6000 RTP/AVP 97", "m=audio 5000 RTP/AVP 8 97", "a=rtpmap:97 telephone-event/8000", "m=image 0 udptl t38")
	answer, _, err := Answer(peer, l)
	if err != nil {
		t.Fatal(err)
	}
	l.Last = answer
	hold := l
	hold.Direction = SendOnly
	offer := Offer(hold)
	want := "o=- 7001 2 IN IP4 192.0.2.1"
	if !bytes.Contains(offer, []byte(want)) {
		t.Errorf("no %q in\n%s", want, offer)
	}
	s, err := Parse(offer)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, m := range s.Streams {
		kinds = append(kinds, fmt.Sprint(m.Kind, " ", m.Port, " ", m.Proto, " ", strings.Join(m.Formats, ",")))
	}
	if wantKinds := []string{"video 0 RTP/AVP 97", "audio 16384 RTP/AVP 8,0,9,97", "image 0 udptl t38"}; !slices.Equal(kinds, wantKinds) {
		t.Errorf("lines %q, want %q", kinds, wantKinds)
	}

	reply := offerOf(t, "m=video 0 RTP/AVP 97", "m=audio 5000 RTP/AVP 8 97", "a=rtpmap:97 telephone-event/8000", "a=recvonly", "m=image 0 udptl t38")
	m, err := Accept(hold, reply)
	if err != nil || m.Direction != SendOnly || m.EventSendPT != 97 || m.EventRecvPT != 97 {
		t.Errorf("%+v, %v", m, err)
	}

	hold.Last = offer
	if again := Offer(hold); !bytes.Equal(again, offer) {
		t.Errorf("the same offer again became\n%s", again)
	}
	if after, err := Accept(hold, reply); err != nil || after != m {
		t.Errorf("with the offer itself as Last the outcome is %+v, %v", after, err)
	}
	back := hold
	back.Direction = SendRecv
	if offer := Offer(back); !bytes.Contains(offer, []byte("o=- 7001 3 ")) {
		t.Errorf("version not raised in\n%s", offer)
	}
}

func TestANewFormatInAReofferTakesAFreeNumber(t *testing.T) {
	l := localIPv4()
	l.DTMF = false
	peer := offerOf(t, "m=audio 5000 RTP/AVP 101", "a=rtpmap:101 PCMA/8000")
	answer, _, err := Answer(peer, l)
	if err != nil {
		t.Fatal(err)
	}
	l.Last, l.DTMF = answer, true
	offer := string(Offer(l))
	if !strings.Contains(offer, "a=rtpmap:101 PCMA/8000\r\n") || !strings.Contains(offer, "a=rtpmap:96 telephone-event/8000\r\n") {
		t.Errorf("offer\n%s", offer)
	}
}

func TestAnAnswerToTheSameReinviteIsTheSameBody(t *testing.T) {
	l := localIPv4()
	peer := offerOf(t, "m=audio 5000 RTP/AVP 8")
	first, _, err := Answer(peer, l)
	if err != nil {
		t.Fatal(err)
	}
	l.Last = first
	second, _, err := Answer(peer, l)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("%v\n%s\nbecame\n%s", err, first, second)
	}
	held, _, err := Answer(offerOf(t, "m=audio 5000 RTP/AVP 8", "a=sendonly"), l)
	if err != nil || !bytes.Contains(held, []byte("o=- 7001 2 ")) || !bytes.Contains(held, []byte("a=recvonly")) {
		t.Errorf("%v\n%s", err, held)
	}
}

// Whatever two of us offer and answer, both sides agree on it.
func TestOfferAnswerAcceptAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	all := []codec.ID{codec.PCMA, codec.PCMU, codec.G722, codec.Opus}
	pick := func(addr string) Local {
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		rtp := uint16(1024 + 2*random.IntN(30000))
		l := Local{
			Addr: netip.MustParseAddr(addr), RTP: rtp, RTCPMux: random.IntN(2) == 0, DTMF: random.IntN(2) == 0,
			Codecs: slices.Clone(all[:1+random.IntN(3)]), Ptime: 10 * random.IntN(8), Direction: Direction(random.IntN(4)),
			SessionID: random.Uint64() >> 2, Version: 1,
		}
		l.RTCP = []uint16{0, rtp + 1, rtp + 501}[random.IntN(3)]
		l.Security = Security(random.IntN(4))
		l.Keys, _ = DrawKeys(rand.NewChaCha8([32]byte{byte(rtp), byte(rtp >> 8)})) // it never runs dry
		return l
	}
	agreed := 0
	for range 5000 {
		a, b := pick("192.0.2.1"), pick("192.0.2.2")
		offer, err := Parse(Offer(a))
		if err != nil {
			t.Fatal(err)
		}
		body, mb, err := Answer(offer, b)
		common := slices.ContainsFunc(a.Codecs, func(id codec.ID) bool { return slices.Contains(b.Codecs, id) })
		fit := (a.Security != SecurityRequired || b.Security != SecurityOff) && (b.Security != SecurityRequired || a.Security >= SecurityOffered)
		if (common && fit) != (err == nil) {
			t.Fatalf("%v, %d and %v, %d: %v", a.Codecs, a.Security, b.Codecs, b.Security, err)
		}
		if err != nil {
			continue
		}
		agreed++
		answer, err := Parse(body)
		if err != nil {
			t.Fatal(err)
		}
		ma, err := Accept(a, answer)
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		secret := a.Security >= SecurityOffered && b.Security >= SecurityAccepted
		switch {
		case ma.SendKey != mb.RecvKey, ma.RecvKey != mb.SendKey, secret != (ma.SendKey.Suite != NoSuite):
			t.Fatalf("%d and %d disagree on secrecy: %v, %v", a.Security, b.Security, ma, mb)
		case ma.Codec != mb.Codec, ma.SendPT != mb.RecvPT, ma.RecvPT != mb.SendPT,
			ma.EventSendPT != mb.EventRecvPT, ma.EventRecvPT != mb.EventSendPT, (ma.EventSendPT != 0) != (a.DTMF && b.DTMF),
			ma.Direction != mb.Direction.Mirror(), ma.RTCPMux != mb.RTCPMux, ma.Ptime != mb.Ptime,
			ma.Remote != netip.AddrPortFrom(b.Addr, b.RTP), mb.Remote != netip.AddrPortFrom(a.Addr, a.RTP),
			mb.RemoteRTCP.Port() != a.rtcp(ma.RTCPMux), ma.RemoteRTCP.Port() != b.rtcp(mb.RTCPMux):
			t.Fatalf("disagreement:\n%+v\n%+v\n%s", ma, mb, body)
		}
	}
	if agreed < 1000 {
		t.Errorf("only %d of 5000 had a codec in common", agreed)
	}
}

func (l *Local) rtcp(mux bool) uint16 {
	switch {
	case mux:
		return l.RTP
	case l.RTCP != 0:
		return l.RTCP
	}
	return l.RTP + 1
}

func TestTheOutcomeSurvivesJSON(t *testing.T) {
	m := Media{
		Remote: netip.MustParseAddrPort("[2001:db8::1]:4000"), RTCPMux: true, Codec: codec.G722, SendPT: 9, RecvPT: 9,
		EventSendPT: 101, EventRecvPT: 96, Ptime: 30, Direction: RecvOnly,
		SendKey: Crypto{AESCM128SHA80, "a2V5", ""}, RecvKey: Crypto{AESCM128SHA80, "a2V5", "01"},
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back Media
	if err := json.Unmarshal(b, &back); err != nil || back != m {
		t.Errorf("%s came back as %+v, %v", b, back, err)
	}
	for _, wrong := range []string{`{"direction":"sideways"}`, `{"send_key":{"suite":"ROT13"}}`} {
		if err := json.Unmarshal([]byte(wrong), &back); err == nil {
			t.Errorf("%s was read", wrong)
		}
	}
}
