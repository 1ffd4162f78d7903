package sdp

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

func withOpus(codecs ...codec.ID) Local {
	l := localIPv4()
	l.Codecs = codecs
	return l
}

// chromeOffer is what a browser-based phone says, with its own order.
var chromeOffer = []string{
	"m=audio 5000 RTP/AVP 111 63 9 0 8 110 126", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1",
	"a=rtpmap:63 red/48000/2", "a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000",
	"a=rtpmap:110 telephone-event/48000", "a=rtpmap:126 telephone-event/8000", "a=ptime:20",
}

func TestOpusIsTakenOfAnOfferLastUnlessWePreferIt(t *testing.T) {
	only := []string{"m=audio 5000 RTP/AVP 96 97", "a=rtpmap:96 OPUS/48000/2", "a=fmtp:96 maxaveragebitrate=16000; cbr=1; stereo=1", "a=rtpmap:97 telephone-event/48000", "a=ptime:30"}
	for _, c := range []struct {
		name    string
		offer   []string
		codecs  []codec.ID
		reserve []codec.ID
		want    Media
	}{
		{
			"others are there", chromeOffer,
			[]codec.ID{codec.PCMA, codec.G722, codec.Opus},
			nil,
			Media{Codec: codec.G722, SendPT: 9, RecvPT: 9, EventSendPT: 126, EventRecvPT: 126, Ptime: 20},
		},
		{
			"it is ours first", chromeOffer,
			[]codec.ID{codec.Opus, codec.PCMA},
			nil,
			Media{Codec: codec.Opus, SendPT: 111, RecvPT: 111, EventSendPT: 110, EventRecvPT: 110, Ptime: 20, Opus: Opus{EventClock: 48000}},
		},
		{
			"nothing else", only,
			[]codec.ID{codec.PCMA, codec.Opus},
			nil,
			Media{Codec: codec.Opus, SendPT: 96, RecvPT: 96, EventSendPT: 97, EventRecvPT: 97, Ptime: 20, Opus: Opus{16000, true, 48000}},
		},
		{
			"nothing else, and no room", only,
			[]codec.ID{codec.PCMA},
			[]codec.ID{codec.Opus},
			Media{Codec: codec.Opus, SendPT: 96, RecvPT: 96, EventSendPT: 97, EventRecvPT: 97, Ptime: 20, Opus: Opus{16000, true, 48000}},
		},
		{
			"others, and no room", chromeOffer,
			[]codec.ID{codec.PCMA},
			[]codec.ID{codec.Opus},
			Media{Codec: codec.PCMA, SendPT: 8, RecvPT: 8, EventSendPT: 126, EventRecvPT: 126, Ptime: 20},
		},
		{
			"keys of 8,000 Hz alone",
			[]string{"m=audio 5000 RTP/AVP 96 101", "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000"},
			[]codec.ID{codec.Opus},
			nil,
			Media{Codec: codec.Opus, SendPT: 96, RecvPT: 96, EventSendPT: 101, EventRecvPT: 101, Ptime: 20, Opus: Opus{EventClock: 8000}},
		},
		{
			"keys of 48,000 Hz beside G.711",
			[]string{"m=audio 5000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/48000"},
			[]codec.ID{codec.PCMA, codec.Opus},
			nil,
			Media{Codec: codec.PCMA, SendPT: 8, RecvPT: 8, Ptime: 20},
		},
		{
			"absurd wishes",
			[]string{"m=audio 5000 RTP/AVP 96", "a=rtpmap:96 opus/48000/2", "a=fmtp:96 maxaveragebitrate=1;cbr=yes;;=;x"},
			[]codec.ID{codec.Opus},
			nil,
			Media{Codec: codec.Opus, SendPT: 96, RecvPT: 96, Ptime: 20, Opus: Opus{MaxBitrate: 6000}},
		},
	} {
		l := withOpus(c.codecs...)
		l.Reserve = c.reserve
		body, m, err := Answer(offerOf(t, c.offer...), l)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		c.want.Remote, c.want.RemoteRTCP = m.Remote, m.RemoteRTCP
		if m != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, m, c.want)
		}
		back, err := Accept(Local{Addr: l.Addr, RTP: 5000, Codecs: []codec.ID{m.Codec}, DTMF: true, Last: []byte(strings.Join(append([]string{"v=0", "o=- 5 6 IN IP4 192.0.2.15", "s=-", "c=IN IP4 192.0.2.15", "t=0 0"}, c.offer...), "\r\n"))}, mustParse(t, body))
		if err != nil || back.Codec != m.Codec || back.SendPT != m.RecvPT || back.EventSendPT != m.EventRecvPT {
			t.Errorf("%s: of our answer\n%s\nthey understand %+v, %v", c.name, body, back, err)
		}
	}
	if _, _, err := Answer(offerOf(t, only...), withOpus(codec.PCMA)); !errors.Is(err, ErrNoCodec) {
		t.Errorf("a box without Opus says %v", err)
	}
	for _, bad := range []string{"opus/8000/2", "opus/48000/3", "opus/16000"} {
		if _, _, err := Answer(offerOf(t, "m=audio 5000 RTP/AVP 96", "a=rtpmap:96 "+bad), withOpus(codec.Opus)); !errors.Is(err, ErrNoCodec) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func mustParse(t *testing.T, body []byte) *Session {
	t.Helper()
	s, err := Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOurOfferOfOpusIsThatOfRFC7587(t *testing.T) {
	l := withOpus(codec.PCMA, codec.Opus)
	body := string(Offer(l))
	for _, line := range []string{
		"m=audio 16384 RTP/AVP 8 111 101 102\r\n", "a=rtpmap:111 opus/48000/2\r\n", "a=fmtp:111 maxplaybackrate=16000;stereo=0;useinbandfec=1\r\n",
		"a=rtpmap:101 telephone-event/8000\r\n", "a=rtpmap:102 telephone-event/48000\r\n",
	} {
		if !strings.Contains(body, line) {
			t.Errorf("%q is not in\n%s", line, body)
		}
	}
	// Who answers sends what it names first.
	m, err := Accept(l, offerOf(t, "m=audio 6000 RTP/AVP 111 8 101 102", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 maxaveragebitrate=14000", "a=rtpmap:101 telephone-event/8000", "a=rtpmap:102 telephone-event/48000"))
	if err != nil || m.Codec != codec.Opus || m.Opus != (Opus{MaxBitrate: 14000, EventClock: 48000}) || m.EventSendPT != 102 {
		t.Errorf("%+v, %v", m, err)
	}
	m, err = Accept(l, offerOf(t, "m=audio 6000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000"))
	if err != nil || m.Codec != codec.PCMA || m.EventSendPT != 101 || m.Opus != (Opus{}) {
		t.Errorf("%+v, %v", m, err)
	}
	// An offer again keeps the numbers (RFC 3264 section 8.3.2), also those of two kinds of events.
	l.Last = []byte(strings.NewReplacer(" 111 101 102", " 100 105 106", ":111 ", ":100 ", ":101 ", ":105 ", ":102 ", ":106 ").Replace(body))
	again, err := Parse(Offer(l))
	if err != nil || !slices.Equal(again.Streams[0].Formats, []string{"8", "100", "105", "106"}) {
		t.Errorf("%v, %v", again.Streams[0].Formats, err)
	}
}
