package browser_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/browser"
	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/media/webrtc"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const anna tel.DeviceID = "browser-anna"

// session is the audio of a page that does as the test says.
type session struct {
	changed func(webrtc.State)
	mu      sync.Mutex // guards what follows
	muted   bool
	closed  bool
}

func (s *session) Media() sdp.Media {
	return sdp.Media{Remote: netip.MustParseAddrPort("127.0.0.1:9"), Codec: codec.PCMA, SendPT: 8, RecvPT: 8, Ptime: 20, Direction: sdp.SendRecv}
}

func (s *session) Mute(on bool) { s.mu.Lock(); s.muted = on; s.mu.Unlock() }
func (s *session) Close()       { s.mu.Lock(); s.closed = true; s.mu.Unlock() }

func (s *session) state() (muted, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.muted, s.closed
}

// memory is a hot journal.
type memory struct {
	mu  sync.Mutex
	all map[string][]byte // by kind and key
}

func (m *memory) Put(kind, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[kind+"/"+key] = slices.Clone(value)
	return nil
}

func (m *memory) Delete(kind, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, kind+"/"+key)
	return nil
}

// of is what the journal has of a kind.
func (m *memory) of(kind string) map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string][]byte{}
	for k, v := range m.all {
		if key, ok := cut(k, kind+"/"); ok {
			found[key] = v
		}
	}
	return found
}

func cut(text, prefix string) (string, bool) {
	if len(text) < len(prefix) || text[:len(prefix)] != prefix {
		return "", false
	}
	return text[len(prefix):], true
}

// bench is the phones of browsers with what they are wired to.
type bench struct {
	*testing.T
	*browser.Phones
	engine  *media.Engine
	journal *memory

	mu       sync.Mutex // guards what follows
	sessions []*session
	refusal  error // of the next offers
	arrived  []call.Arrival
	turnAway error
	changed  []string
	events   []call.LegEvent
}

var ports = 27000

func start(t *testing.T) *bench { return again(t, &memory{all: map[string][]byte{}}) }

// again is a process that begins with what another one has left.
func again(t *testing.T, j *memory) *bench {
	t.Helper()
	b := &bench{T: t, journal: j}
	var err error
	if b.engine, err = media.New(media.Config{Log: slog.New(slog.DiscardHandler), Bind: netip.MustParseAddr("127.0.0.1"), PortMin: ports, PortMax: ports + 39, Journal: j}); err != nil {
		t.Fatal(err)
	}
	b.Phones = browser.New(browser.Config{
		Log: slog.New(slog.DiscardHandler), Engine: b.engine, Language: func() string { return "en" }, Journal: j,
		Answer: func(_ context.Context, _ string, _ uint16, changed func(webrtc.State)) (browser.Session, string, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.refusal != nil {
				return nil, "", b.refusal
			}
			s := &session{changed: changed}
			b.sessions = append(b.sessions, s)
			return s, "answer", nil
		},
		Arrive: func(in call.Arrival, makeLeg func(func(call.LegEvent)) call.Leg) (tel.CallID, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.turnAway != nil {
				return "", b.turnAway
			}
			b.arrived = append(b.arrived, in)
			makeLeg(b.took)
			return "c1", nil
		},
		Changed: func(d tel.DeviceID) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.changed = append(b.changed, fmt.Sprint(d, " ", b.Reachable(d)))
		},
	})
	t.Cleanup(func() {
		b.Close()
		_ = b.engine.Close()
	})
	return b
}

// took is the call's end of a leg. The test alone makes events.
func (b *bench) took(e call.LegEvent) {
	b.events = append(b.events, e)
}

// kinds are the events so far, in words.
func (b *bench) kinds() (all []string) {
	names := map[call.LegEventKind]string{
		call.LegProgress: "progress", call.LegAnswered: "answered", call.LegEnded: "ended", call.LegQuiet: "quiet", call.LegHeld: "held", call.LegDigit: "digit", call.LegRefer: "refer", call.LegFlash: "flash",
	}
	for _, e := range b.events {
		text := names[e.Kind]
		switch e.Kind {
		case call.LegHeld:
			text += fmt.Sprint(" ", e.Held)
		case call.LegEnded:
			text += fmt.Sprint(" ", e.Cause, " ", e.Remote)
		case call.LegDigit:
			text += " " + string(e.Digit)
		case call.LegRefer:
			text += " " + string(e.To) + e.Replaces
		}
		all = append(all, text)
	}
	return all
}

func (b *bench) expect(want ...string) {
	b.Helper()
	if got := b.kinds(); !slices.Equal(got, want) {
		b.Errorf("the call was told\n%q, want\n%q", got, want)
	}
}

func (b *bench) fine(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) attach(instance string) *browser.Page {
	b.Helper()
	g, err := b.Attach(anna, instance)
	b.fine(err)
	return g
}

// rings is a call that rings at the page.
func (b *bench) rings() call.Leg {
	b.Helper()
	legs, err := b.DialDevice(anna, call.Outgoing{From: "202", FromName: "Bruno"}, b.took)
	if err != nil || len(legs) != 1 {
		b.Fatalf("%v, %v", legs, err)
	}
	return legs[0]
}

// offers has the page offer and be connected.
func (b *bench) offers(l tel.LegID, instance string) *session {
	b.Helper()
	if answer, err := b.Offer(b.Context(), anna, l, instance, "offer"); err != nil || answer != "answer" {
		b.Fatalf("%q, %v", answer, err)
	}
	s := b.sessions[len(b.sessions)-1]
	s.changed(webrtc.Up)
	return s
}

func TestAPhoneRingsWhileAPageIsOpen(t *testing.T) {
	b := start(t)
	if legs, err := b.DialDevice(anna, call.Outgoing{From: "202"}, b.took); legs != nil || err != nil {
		t.Errorf("without a page: %v, %v", legs, err)
	}
	g := b.attach("one")
	l := b.rings()
	if o := b.Orders(g); !o.Ring || len(o.Offer) != 0 {
		t.Errorf("%+v", o)
	}
	if _, err := b.Offer(t.Context(), anna, l.ID(), "one", "offer"); !errors.Is(err, browser.ErrNotNow) {
		t.Errorf("an offer before the answer: %v", err)
	}
	b.fine(b.Pick(anna, l.ID()))
	if o := b.Orders(g); o.Ring || !slices.Equal(o.Offer, []tel.LegID{l.ID()}) {
		t.Errorf("%+v", o)
	}
	b.expect("progress")
	b.offers(l.ID(), "one")
	b.expect("progress", "answered")
	if o := b.Orders(g); !slices.Equal(o.Keep, []tel.LegID{l.ID()}) || len(o.Offer) != 0 {
		t.Errorf("%+v", o)
	}
	l.Hangup(tel.CauseNormal)
	l.Hangup(tel.CauseNormal)
	b.expect("progress", "answered", "ended normal false", "quiet")
	if len(b.changed) != 1 || b.changed[0] != "browser-anna true" {
		t.Errorf("reached: %v", b.changed)
	}
	if left := b.journal.of(browser.JournalKind); len(left) != 0 {
		t.Errorf("the journal keeps %v", left)
	}
}

func TestARefusedCallEndsAsTheDeskPhoneWouldEndIt(t *testing.T) {
	b := start(t)
	b.attach("one")
	l := b.rings()
	b.fine(b.End(anna, l.ID()))
	b.expect("progress", "ended rejected true", "quiet")
	if err := b.End(anna, l.ID()); !errors.Is(err, browser.ErrNoCall) {
		t.Errorf("a second time: %v", err)
	}
}

func TestAPhoneHasTwoCallsAndAThirdIsBusy(t *testing.T) {
	b := start(t)
	b.attach("one")
	b.rings()
	b.rings()
	if _, err := b.Dial(anna, "203"); !errors.Is(err, browser.ErrBusy) {
		t.Errorf("a call of its own: %v", err)
	}
	b.rings()
	b.expect("progress", "progress", "ended busy true", "quiet")
}

// The audio is up before anybody is rung, so that nothing is said to nobody.
func TestACallOfThePageArrivesWhenItsAudioIsThere(t *testing.T) {
	b := start(t)
	if _, err := b.Dial(anna, "202"); !errors.Is(err, browser.ErrNoPage) {
		t.Fatalf("without a page: %v", err)
	}
	b.attach("one")
	id, err := b.Dial(anna, "202")
	b.fine(err)
	if len(b.arrived) != 0 {
		t.Error("the call has arrived without audio")
	}
	b.offers(id, "one")
	b.Close() // waits for the arrival
	if len(b.arrived) != 1 || b.arrived[0].Dialed != "202" || b.arrived[0].Device != anna || b.arrived[0].From != "phone:browser-anna" {
		t.Errorf("%+v", b.arrived)
	}
}

func TestACallThatIsTurnedAwayLeavesThePage(t *testing.T) {
	b := start(t)
	b.turnAway = call.ErrFull
	b.attach("one")
	id, err := b.Dial(anna, "202")
	b.fine(err)
	b.offers(id, "one")
	b.Close()
	if all := b.Show(anna).Calls; len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

func TestHoldMuteKeysAndTransferReachTheCall(t *testing.T) {
	b := start(t)
	b.attach("one")
	l := b.rings()
	if err := errors.Join(b.Hold(anna, l.ID(), true), b.Mute(anna, l.ID(), true), b.Press(anna, l.ID(), "1"), b.Flash(anna, l.ID()), b.Transfer(anna, l.ID(), "203")); !errors.Is(err, browser.ErrNotNow) {
		t.Errorf("while it rings: %v", err)
	}
	b.fine(b.Pick(anna, l.ID()))
	s := b.offers(l.ID(), "one")
	b.fine(b.Hold(anna, l.ID(), true))
	b.fine(b.Hold(anna, l.ID(), true))
	b.fine(b.Hold(anna, l.ID(), false))
	b.fine(b.Mute(anna, l.ID(), true))
	if muted, _ := s.state(); !muted {
		t.Error("the microphone is heard")
	}
	b.fine(b.Press(anna, l.ID(), "1#"))
	b.fine(b.Flash(anna, l.ID()))
	b.fine(b.Transfer(anna, l.ID(), "203"))
	if err := b.Transfer(anna, l.ID(), "204"); !errors.Is(err, browser.ErrNotNow) {
		t.Errorf("a transfer while one is under way: %v", err)
	}
	b.expect("progress", "answered", "held true", "held false", "digit 1", "digit #", "flash", "refer 203")
	l.(call.Referrer).AnswerRefer(202)
	if all := b.Show(anna).Calls; !all[0].Moving || all[0].Refused != 0 || !all[0].Muted {
		t.Errorf("%+v", all[0])
	}
	l.(call.Referrer).NotifyRefer(486, true)
	if all := b.Show(anna).Calls; all[0].Moving || all[0].Refused != 486 {
		t.Errorf("%+v", all[0])
	}
	if err := b.Transfer(anna, l.ID(), ""); !errors.Is(err, browser.ErrNotNow) {
		t.Errorf("a join of one call: %v", err)
	}
}

func TestASecondCallHoldsTheFirstAndBothCanBeJoined(t *testing.T) {
	b := start(t)
	b.attach("one")
	first, second := b.rings(), b.rings()
	for _, l := range []call.Leg{first, second} {
		b.fine(b.Pick(anna, l.ID()))
		b.offers(l.ID(), "one")
	}
	all := b.Show(anna).Calls
	if !all[0].Held || all[1].Held {
		t.Errorf("%+v", all)
	}
	b.fine(b.Hold(anna, first.ID(), false))
	if all = b.Show(anna).Calls; all[0].Held || !all[1].Held {
		t.Errorf("%+v", all)
	}
	b.fine(b.Transfer(anna, first.ID(), ""))
	b.expect("progress", "progress", "answered", "held true", "answered", "held true", "held false", "refer "+second.Ref())
}

// A page that is loaded anew takes the call from the one before; meanwhile the other party is held.
func TestThePartyIsHeldUntilThePageIsBack(t *testing.T) {
	b := start(t)
	one := b.attach("one")
	l := b.rings()
	b.fine(b.Pick(anna, l.ID()))
	s := b.offers(l.ID(), "one")
	s.changed(webrtc.Lost)
	if o := b.Orders(one); len(o.Offer) != 0 {
		t.Errorf("at once: %+v", o) // it may come back by itself
	}
	s.changed(webrtc.Up)
	two := b.attach("two")
	if o := b.Orders(one); !o.Other || len(o.Keep) != 0 {
		t.Errorf("the page of before: %+v", o)
	}
	if o := b.Orders(two); !slices.Equal(o.Offer, []tel.LegID{l.ID()}) {
		t.Errorf("the new page: %+v", o)
	}
	if _, err := b.Offer(t.Context(), anna, l.ID(), "one", "offer"); !errors.Is(err, browser.ErrElsewhere) {
		t.Errorf("an offer of the page of before: %v", err)
	}
	b.Detach(one)
	b.refusal = webrtc.ErrFull
	if _, err := b.Offer(t.Context(), anna, l.ID(), "two", "offer"); !errors.Is(err, webrtc.ErrFull) {
		t.Errorf("%v", err)
	}
	b.refusal = nil
	b.offers(l.ID(), "two")
	if _, closed := s.state(); !closed {
		t.Error("the audio of the page of before is open")
	}
	s.changed(webrtc.Gone) // a word from the past
	b.expect("progress", "answered", "held true", "held false", "held true", "held false")
}

func TestACallSurvivesTheProcessAndItsPartyIsHeld(t *testing.T) {
	b := start(t)
	b.attach("one")
	l := b.rings()
	b.fine(b.Pick(anna, l.ID()))
	b.offers(l.ID(), "one")
	b.fine(b.Mute(anna, l.ID(), true))
	id, ref := l.ID(), l.Ref()
	lost := b.rings().ID() // of which no call knows afterwards
	b.Close()
	_ = b.engine.Close()

	c := again(t, b.journal)
	legs, errs := c.engine.Restore(b.journal.of("leg"))
	if len(errs) != 0 || len(legs) != 2 {
		t.Fatalf("%v, %v", legs, errs)
	}
	if errs := c.Restore(b.journal.of(browser.JournalKind)); len(errs) != 0 {
		t.Fatal(errs)
	}
	found, ok := c.Find(ref, id, legs[id], c.took)
	if !ok || found.Party() != "phone:browser-anna" || found.Ref() != ref {
		t.Fatalf("%v, %v", found, ok)
	}
	for _, x := range []struct {
		ref string
		id  tel.LegID
	}{{ref, "other"}, {"sip:" + string(id), id}, {ref, id}, {"browser:", ""}} {
		if _, ok := c.Find(x.ref, x.id, legs[id], c.took); ok {
			t.Errorf("%+v is found", x)
		}
	}
	c.Forget()
	if left := slices.Collect(maps.Keys(b.journal.of(browser.JournalKind))); !slices.Equal(left, []string{string(id)}) || left[0] == string(lost) {
		t.Errorf("the journal keeps %v", left)
	}
	c.expect("held true")
	all := c.Show(anna).Calls
	if len(all) != 1 || !all[0].Away || !all[0].Muted || all[0].Number != "202" || all[0].Name != "Bruno" || !all[0].Incoming {
		t.Errorf("%+v", all)
	}
	c.attach("two")
	s := c.offers(id, "two")
	if muted, _ := s.state(); !muted {
		t.Error("the restart has opened the microphone")
	}
	c.expect("held true", "held false")
	legs[lost].Close()
}

func TestTooManyPagesAreRefused(t *testing.T) {
	b := start(t)
	for i := range 4 {
		b.attach(fmt.Sprint(i))
	}
	if _, err := b.Attach(anna, "5"); !errors.Is(err, browser.ErrTooMany) {
		t.Error(err)
	}
	b.Close()
	if _, err := b.Attach("browser-bruno", "1"); !errors.Is(err, browser.ErrClosed) {
		t.Error(err)
	}
	if _, err := b.Dial(anna, "202"); !errors.Is(err, browser.ErrClosed) {
		t.Error(err)
	}
}

func TestWhoWatchesSeesEachChange(t *testing.T) {
	b := start(t)
	changed, stop := b.Watch(anna)
	g := b.attach("one")
	var l call.Leg
	for _, c := range []struct {
		what string
		do   func()
	}{
		{"a page comes", func() {}}, {"a call rings", func() { l = b.rings() }}, {"it ends", func() { l.Hangup(tel.CauseNormal) }}, {"the page leaves", func() { b.Detach(g) }},
	} {
		c.do()
		select {
		case <-changed:
		default:
			t.Errorf("not seen: %s", c.what)
		}
	}
	stop()
	b.rings()
	select {
	case <-changed:
		t.Error("seen after the end")
	default:
	}
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte(`{"v":1,"device":"browser-anna","number":"202","since":"2026-03-02T09:00:00Z"}`))
	f.Add([]byte(`{"v":2}`))
	p := browser.New(browser.Config{Log: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, b []byte) {
		p.Restore(map[string][]byte{"l1": b})
		p.Forget()
	})
}
