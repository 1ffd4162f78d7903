package media

import (
	"errors"
	"fmt"
	"math/rand" // testing/quick asks for this one
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/quick"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// journalFake is a hot journal in memory.
type journalFake struct {
	mu     sync.Mutex
	values map[string][]byte
	puts   int
	broken error
}

func newJournal() *journalFake { return &journalFake{values: map[string][]byte{}} }

func (j *journalFake) Put(kind, key string, value []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if kind != "leg" {
		return fmt.Errorf("kind %q", kind)
	}
	j.puts++
	if j.broken != nil {
		return j.broken
	}
	j.values[key] = append([]byte(nil), value...)
	return nil
}

func (j *journalFake) Delete(_, key string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.values, key)
	return j.broken
}

func (j *journalFake) copy() map[string][]byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := make(map[string][]byte, len(j.values))
	for k, v := range j.values {
		c[k] = v
	}
	return c
}

// Generate makes any state that a leg can have.
func (legState) Generate(r *rand.Rand, _ int) reflect.Value {
	addr := func() netip.AddrPort {
		if r.Intn(4) == 0 {
			return netip.AddrPort{}
		}
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(r.Int()), byte(r.Int()), 1}), uint16(1+r.Intn(65535)))
	}
	rtp := uint16(2 + 2*r.Intn(32766))
	s := legState{
		Version: 1, ID: tel.NewLegID(), RTP: rtp, RTCP: rtp + 1, Learn: r.Intn(2) == 0, Source: addr().Addr(),
		Advertise: netip.AddrFrom4([4]byte{10, 0, 0, byte(r.Int())}),
		Timeout:   time.Duration(1 + r.Int63n(int64(time.Hour))), Configured: true,
		Media: sdp.Media{
			Remote: addr(), RemoteRTCP: addr(), RTCPMux: r.Intn(2) == 0, Codec: codec.ID(1 + r.Intn(3)),
			SendPT: uint8(r.Intn(128)), RecvPT: uint8(r.Intn(128)), EventSendPT: uint8(r.Intn(128)), EventRecvPT: uint8(r.Intn(128)),
			Ptime: 10 * (1 + r.Intn(6)), Direction: sdp.Direction(r.Intn(4)),
		},
		Echo: r.Intn(2) == 0, Learned: addr(), Control: addr(), SSRC: r.Uint32(), RemoteSSRC: r.Uint32(), Seq: uint16(r.Uint32()), Timestamp: r.Uint32(),
	}
	if r.Intn(2) == 0 {
		s.Peer = tel.NewLegID()
	}
	s.Media.Image = r.Intn(4) == 0
	if !s.Media.Image && r.Intn(2) == 0 {
		s.Version = 2
		s.Media.SendKey, s.Media.RecvKey = testKey(byte(r.Int())), testKey(byte(r.Int()))
		s.Secret = secretState{r.Uint32(), r.Uint32(), uint16(r.Uint32())}
	}
	return reflect.ValueOf(s)
}

func TestEveryStateSurvivesItsEncoding(t *testing.T) {
	if err := quick.Check(func(s legState) bool {
		b, err := s.encode()
		if err != nil {
			t.Log(err)
			return false
		}
		got, err := decodeState(b)
		return err == nil && got == s
	}, nil); err != nil {
		t.Error(err)
	}
}

func TestARestoredLegHasTheStateItHadButANewStream(t *testing.T) {
	e := startEngine(t, 22500, 22509, nil)
	if err := quick.Check(func(s legState) bool {
		s.RTP, s.RTCP, s.Peer, s.RemoteSSRC = 22500, 22501, "", 0
		b, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		legs, errs := e.Restore(map[string][]byte{string(s.ID): b})
		if len(errs) > 0 {
			t.Log(errs)
			return false
		}
		g := legs[s.ID]
		var got legState
		if err := g.ask(func(*loop) error { got = g.state(); return nil }); err != nil {
			t.Fatal(err)
		}
		g.Close()
		g.Stats()                        // behind Close in the mailbox: the ports are free
		time.Sleep(2 * time.Millisecond) // the rest time of the port
		fresh := got.SSRC != s.SSRC && got.Timestamp == s.Timestamp+restoreTSJump
		if s.Version == 1 {
			fresh = fresh && got.Seq == s.Seq+restoreSeqJump
		} else {
			fresh = fresh && got.Seq < 1<<15
		}
		got.SSRC, got.Seq, got.Timestamp = s.SSRC, s.Seq, s.Timestamp
		if !fresh || got != s {
			t.Logf("restored %+v\nfrom     %+v", got, s)
			return false
		}
		return true
	}, &quick.Config{MaxCount: 50}); err != nil {
		t.Error(err)
	}
}

func TestAStateOfAnotherVersionOrFormIsRefusedInWords(t *testing.T) {
	e := startEngine(t, 22510, 22519, nil)
	for _, c := range []struct{ state, want string }{
		{`{"v":3,"id":"l1","rtp":22510,"rtcp":22511}`, "version 3"},
		{`{"id":"l1","rtp":22510,"rtcp":22511}`, "version 0"},
		{`{"v":1,"id":"l1","rtp":22511,"rtcp":22512}`, "ports 22511"},
		{`{"v":1,"id":"l1","rtp":4000,"rtcp":4001}`, "outside the range"},
		{`{"v":1,"id":"other","rtp":22510,"rtcp":22511}`, "says it is other"},
		{`{"v":1,"id":"l1","rtp":22510,"rtcp":22511,"configured":true}`, "codec"},
		{`{"v":1,"id":"l1","rtp":22510,"rtcp":22511,"configured":true,"media":{"codec":"PCMU","remote":"[::1]:5"}}`, "family"},
		{`{"v":2,"id":"l1","rtp":22512,"rtcp":22513,"configured":true,"media":{"codec":"PCMU","send_key":{"suite":"AEAD_AES_128_GCM","key":"eA=="},"recv_key":{"suite":"AEAD_AES_128_GCM","key":"eA=="}}}`, "not 28 bytes"},
		{`{"v":2,"id":"l1","rtp":22512,"rtcp":22513,"configured":true,"media":{"codec":"PCMU","image":true,"send_key":{"suite":"AEAD_AES_128_GCM","key":"eA=="}}}`, "T.38 and keys"},
		{`{"v":1,`, "unexpected end"},
		{`[]`, "cannot unmarshal"},
	} {
		legs, errs := e.Restore(map[string][]byte{"l1": []byte(c.state)})
		if len(legs) != 0 || len(errs) != 1 || !strings.Contains(errs[0].Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.state, errs, c.want)
		}
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"v":1,"id":"l1","rtp":22510,"rtcp":22511,"learned":"192.0.2.1:7","media":{"codec":"PCMA","ptime":20}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b)
		if err != nil {
			return
		}
		again, err := s.encode()
		if err != nil {
			t.Fatalf("a state that was read cannot be written: %v", err)
		}
		if got, err := decodeState(again); err != nil || got != s {
			t.Fatalf("%+v became %+v, %v", s, got, err)
		}
	})
}

// The process dies by kill -9: nothing is closed, the journal and the supervisor's duplicates are
// all that is left.
func TestABridgedCallGoesOnInTheNextProcess(t *testing.T) {
	journal, keeper := newJournal(), &keepingFake{}
	change := func(c *Config) { c.Journal, c.Keeper = journal, keeper }
	first := startEngine(t, 22520, 22529, change)
	a, b := bridged(t, first, pcmu, pcmu)
	a.send("one")
	before := b.receive()
	b.send("eins")
	a.receive()
	states := journal.copy()
	if len(states) != 2 || len(keeper.files) != 4 {
		t.Fatalf("%d states and %d sockets are kept", len(states), len(keeper.files))
	}
	if err := first.Close(); err != nil { // closes descriptors, as the kernel does for the dead
		t.Fatal(err)
	}
	a.send("into the gap")

	second := startEngine(t, 22520, 22529, change)
	legs, errs := second.Restore(states)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	got := newSink()
	if err := legs[a.leg.ID()].Bind(got.take); err != nil {
		t.Fatal(err)
	}
	a.send("two")
	after := b.receive()
	if string(after.Payload) != "two" || after.SSRC == before.SSRC || !after.Marker {
		t.Errorf("after %v came %v", before, after)
	}
	b.send("zwei")
	a.hearsFirst("zwei")
	thief := newPhone(t, "127.0.0.66")
	thief.to = a.to
	thief.send("stolen")
	thief.send("stolen")
	settle(t, legs[a.leg.ID()])
	a.send("three")
	b.hearsFirst("three")
	if len(keeper.files) != 4 {
		t.Errorf("%d sockets are kept for the process after", len(keeper.files))
	}
	legs[a.leg.ID()].Close()
	legs[b.leg.ID()].Close()
	legs[a.leg.ID()].Stats()
	legs[b.leg.ID()].Stats()
	if n := len(journal.copy()); n != 0 || len(keeper.files) != 0 {
		t.Errorf("%d states and %d sockets are left", n, len(keeper.files))
	}
}

func TestALearnedAddressSurvivesTheProcess(t *testing.T) {
	journal := newJournal()
	first := startEngine(t, 22530, 22539, func(c *Config) { c.Journal = journal })
	b := newPhone(t, "127.0.0.34")
	leg, err := first.Open(LegConfig{Advertise: netip.MustParseAddr("192.0.2.10")})
	if err != nil {
		t.Fatal(err)
	}
	b.leg = leg
	port, _ := leg.Ports()
	b.to = netip.AddrPortFrom(netip.MustParseAddr(boxAddr), port)
	m := pcmu
	m.Remote = netipAddrPort("192.168.1.5:4000")
	if err := leg.Configure(m); err != nil {
		t.Fatal(err)
	}
	b.send("1")
	b.send("2")
	settle(t, leg)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := startEngine(t, 22530, 22539, func(c *Config) { c.Journal = journal })
	legs, errs := second.Restore(journal.copy())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	leg = legs[leg.ID()]
	if got := leg.Stats().Remote; got != b.addr() || leg.Advertise() != netip.MustParseAddr("192.0.2.10") {
		t.Errorf("sends to %v, want %v", got, b.addr())
	}
}

func TestABrokenJournalIsSaidInTheLogAndCallsGoOn(t *testing.T) {
	journal := newJournal()
	journal.broken = errors.New("no space left")
	lines := &logLines{}
	e := startEngine(t, 22540, 22549, func(c *Config) { c.Journal, c.Log = journal, lines.logger() })
	a, b := bridged(t, e, pcmu, pcmu)
	a.send("x")
	b.hearsFirst("x")
	if got := lines.String(); !strings.Contains(got, "no space left") {
		t.Errorf("log: %q", got)
	}
	if n := strings.Count(lines.String(), "\n"); n > 2 {
		t.Errorf("%d lines within a second", n)
	}
}

func TestHighWaterMarksAreWrittenWhilePacketsFlow(t *testing.T) {
	journal := newJournal()
	e := startEngine(t, 22550, 22559, func(c *Config) { c.Journal = journal })
	a, b := bridged(t, e, pcmu, pcmu)
	a.send("x")
	sent := b.receive()
	puts := func(after time.Duration) int {
		t.Helper()
		if err := b.leg.ask(func(l *loop) error {
			l.now = l.engine.now() + after
			l.tendLeg(b.leg)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		journal.mu.Lock()
		defer journal.mu.Unlock()
		return journal.puts
	}
	base := puts(time.Second)
	if n := puts(31 * time.Second); n != base+1 {
		t.Errorf("%d writes after 31 s, want 1", n-base)
	}
	if n := puts(70 * time.Second); n != base+1 {
		t.Errorf("a silent leg was written again")
	}
	s, err := decodeState(journal.copy()[string(b.leg.ID())])
	if err != nil || s.Seq != sent.SequenceNumber || s.Timestamp != sent.Timestamp {
		t.Errorf("state %+v, %v; sent %v", s, err, sent)
	}
}
