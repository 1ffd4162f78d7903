package useragent

import (
	"bufio"
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// A mark is read again from what left, from the same sound in the other law, and softer.
func TestAMarkSurvivesTheOtherLawAndAnotherLevel(t *testing.T) {
	coder := map[string]*tone.Coder{"PCMA": tone.NewCoder(tone.ALaw), "PCMU": tone.NewCoder(tone.MuLaw)}
	for range 200 {
		m := mark{rand.Uint32(), rand.Uint32(), rand.Int64()}
		for _, from := range []Codec{PCMA, PCMU} {
			frame := make([]byte, frameSize)
			m.put(frame, 77, signsOf(from))
			pcm := coder[from.Name].Decode(nil, frame)
			for i := range pcm {
				pcm[i] /= 4
			}
			for _, to := range []Codec{PCMA, PCMU} {
				if got, ok := markIn(coder[to.Name].Encode(nil, pcm), 77); !ok || got != m {
					t.Fatalf("%+v as %s became %+v, %v as %s", m, from.Name, got, ok, to.Name)
				}
			}
			if _, ok := markIn(frame, 78); ok {
				t.Fatal("a mark of another run was taken")
			}
		}
	}
	if _, ok := markIn(make([]byte, frameSize-1), 0); ok {
		t.Error("half a frame holds a mark")
	}
}

// What is heard of a stream is counted as a list of all that came would have it.
func TestLossAndOrderAreThoseOfTheWholeList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		sent := 20 + r.IntN(200)
		var came []uint32
		for seq := range uint32(sent) {
			for range 1 + r.IntN(12)/11 { // some twice
				if r.IntN(10) > 0 {
					came = append(came, seq)
				}
			}
		}
		for i := range came { // some late, by less than the window
			if j := i + r.IntN(5); r.IntN(6) == 0 && j < len(came) {
				came[i], came[j] = came[j], came[i]
			}
		}
		var h heard
		once, late, most := map[uint32]bool{}, 0, uint32(0)
		for i, seq := range came {
			if again := h.take(seq, int64(i)); again != once[seq] {
				t.Fatalf("packet %d of %v: again %v", seq, came, again)
			}
			if i > 0 && seq < most && !once[seq] {
				late++
			}
			once[seq], most = true, max(most, seq)
		}
		if len(came) == 0 {
			continue
		}
		if h.received != len(once) || h.duplicated != len(came)-len(once) || h.reordered != late || h.first != slices.Min(came) || h.last != most {
			t.Fatalf("%+v of %v", h, came)
		}
	}
}

func TestQuantilesAreWithinAHundredthOfTheSortedList(t *testing.T) {
	var s Spread
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(rand.Int64N(1 << rand.IntN(40)))
		s.Add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.01, 0.5, 0.99, 0.999} {
		want := all[int(q*float64(len(all)))]
		if got := s.Quantile(q); got > want || float64(got) < 0.99*float64(want)-1 {
			t.Errorf("quantile %g is %v, not %v", q, got, want)
		}
	}
	if s.N() != len(all) || s.Max() != all[len(all)-1] {
		t.Errorf("%d, at most %v; want %d and %v", s.N(), s.Max(), len(all), all[len(all)-1])
	}
	if empty := (&Spread{}).Quantile(0.5); empty != 0 {
		t.Errorf("the median of nothing is %v", empty)
	}
}

// What a stranger sends to a socket is told apart, and none of it is taken for loss or delay.
func TestPacketsOfStrangersAreToldApart(t *testing.T) {
	a, err := OpenAudio(PCMA)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	s, err := a.Open(netip.MustParseAddr("127.0.0.64"), true)
	if err != nil {
		t.Fatal(err)
	}
	speech := append([]byte{0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 160)...)
	a.mu.Lock()
	for _, packet := range [][]byte{nil, {0x80}, []byte("not RTP at all"), speech, append([]byte{0x80, 200}, make([]byte, 26)...)} {
		s.got(packet, 5)
	}
	a.mu.Unlock()
	if got := s.Close(); got != (Told{Strangers: 4}) { // RTCP is nobody's audio
		t.Errorf("told %+v", got)
	}
	if d := a.Delay(ToAnswerer); d.N() != 0 {
		t.Errorf("%d delays", d.N())
	}
}

func FuzzMessagesOfAServer(f *testing.F) {
	f.Add([]byte("SIP/2.0 407 X\r\nProxy-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\nc: 1\r\n 2\r\nRecord-Route: <sip:a;lr>, <sip:b;lr>\r\nl: 3\r\n\r\nabc"))
	f.Add([]byte("INVITE sip:a SIP/2.0\r\nTo: <sip:a>;tag=\r\n\r\nv=0\r\nm=audio 1 RTP/AVP 8\r\nc=IN IP4 1.2.3.4\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if framed, err := readFrame(bufio.NewReaderSize(bytes.NewReader(b), maxMessage)); err == nil && len(framed) > maxMessage+2 {
			t.Errorf("a message of %d bytes", len(framed))
		}
		m, err := parseMessage(b)
		if err != nil {
			return
		}
		if to, _, ok := audioOf(m.body, PCMA); ok && (!to.IsValid() || to.Port() == 0) {
			t.Errorf("audio at %v", to)
		}
		if c, ok := challengeOf(&m); ok && strings.Count(c.authorization("u", "p", "REGISTER", "sip:h", 1), "\r\n") != 1 {
			t.Errorf("the answer to %+v is more than a line", c)
		}
		for line := range strings.Lines(m.routes(true)) {
			if !strings.HasPrefix(line, "Route: ") {
				t.Errorf("routes %q", m.routes(true))
			}
		}
	})
}

// A way that swallows the first five packets and then each seventh, and turns two neighbours round, is told to the packet.
func TestWhatAWayDoesToPacketsIsToldToThePacket(t *testing.T) {
	a, err := OpenAudio(PCMU)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var both [2]*Stream
	for i := range both {
		if both[i], err = a.Open(netip.MustParseAddr("127.0.0.64"), i == 0); err != nil {
			t.Fatal(err)
		}
	}
	way, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 65)})
	if err != nil {
		t.Fatal(err)
	}
	const head, packets = 5, 40
	passed := make(chan int, 1)
	go func() {
		var held []byte
		n := 0
		for seen := range packets {
			buf := make([]byte, 2000)
			size, err := way.Read(buf)
			if err != nil {
				break
			}
			if seen < head || seen%7 == 0 && seen != packets-1 {
				continue
			}
			if seen == 10 { // comes after the next
				held = buf[:size]
				continue
			}
			for _, packet := range [][]byte{buf[:size], held} {
				if packet != nil {
					_, _ = way.WriteToUDPAddrPort(packet, both[1].Addr())
					n++
				}
			}
			held = nil
		}
		both[0].Stop()
		passed <- n
	}()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { a.Run(ctx) })
	both[0].Start(way.LocalAddr().(*net.UDPAddr).AddrPort())
	n := <-passed
	heard := func() int { s := a.Delay(ToAnswerer); return s.N() }
	for end := time.Now().Add(10 * time.Second); heard() < n && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	stop()
	running.Wait()
	_ = way.Close()
	got := both[0].Close()
	// Between the way's last packet and Stop one more may have left.
	extra := got.Sent - packets
	if extra < 0 || got.Tail != extra || got.Received != n || got.Head != head || got.Lost != packets-head-n+extra || got.OutOfOrder != 1 || got.Duplicated != 0 || !got.Peer || got.Gap <= 0 {
		t.Errorf("told %+v; %d went through", got, n)
	}
	if back := both[1].Close(); back.Sent != 0 || back.Strangers != 0 {
		t.Errorf("the other side %+v", back)
	}
}
