package appliance

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/trace"
	"github.com/pronto-pbx/pronto/firmware/trace/capture"
	"github.com/pronto-pbx/pronto/ui/settings"
)

const tracedShop = shop + `
supervision:
  legal_basis: {kind: union_agreement, reference: "7", date: "2026-01-31", purposes: [troubleshooting]}
recording:
  purposes: [{id: quality, name: Qualità, days: 90}]
  rules: [{id: asked, record: demand, purpose: quality, agents: [anna]}]
`

// kernel is a kernel's count that a test sets.
type kernel struct {
	boot atomic.Value
	up   atomic.Int64
}

func (k *kernel) clock() (string, time.Duration) {
	return k.boot.Load().(string), time.Duration(k.up.Load())
}

// tracing runs a box by such a count.
func tracing(t *testing.T) (*bench, *kernel) {
	t.Helper()
	k := &kernel{}
	k.boot.Store("this boot")
	b := startWith(t, tracedShop, func(*Options) {}, func(b *Box) { b.rtpTrace.clock = k.clock })
	return b, k
}

var theOwner = settings.By{User: "owner", From: "192.168.1.20"}

func (b *bench) permitted() bool { return b.box.rtpTrace.page().On != nil }

// traced are the lines of the audit log about traces, the newest first.
func (b *bench) traced() (all []string) {
	lines, err := b.box.audit.Last(100)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, x := range lines {
		if what, ok := strings.CutPrefix(x.What, "rtp_trace_"); ok {
			all = append(all, strings.TrimSpace(what+" "+x.User))
		}
	}
	return all
}

func TestAPermissionOfRTPIsForOneForATimeWithAReasonAndOnALegalBasis(t *testing.T) {
	b, _ := tracing(t)
	p := b.box.tracePages()
	for name, c := range map[string]struct {
		of   string
		span time.Duration
		why  string
		want string
	}{
		"nobody":                  {"phone:999", time.Hour, "x", "traces.unknown"},
		"nothing":                 {"", time.Hour, "x", "traces.unknown"},
		"a time of one's own":     {"phone:201", 2 * time.Hour, "x", "traces.span"},
		"no time":                 {"phone:201", 0, "x", "traces.span"},
		"no reason":               {"phone:201", time.Hour, " \n", "traces.whyless"},
		"a reason without an end": {"phone:201", time.Hour, strings.Repeat("x", mostTraceWhy+1), "traces.whyless"},
	} {
		if no := p.Permit(c.of, c.span, c.why, theOwner); no.Sentence != c.want || b.permitted() {
			t.Errorf("%s: %q, want %q", name, no.Sentence, c.want)
		}
	}
	if no := p.Permit("phone:201", time.Hour, "x", theOwner); no.Sentence != "" || !b.permitted() {
		t.Fatal(no)
	}
	if no := p.Permit("phone:202", time.Hour, "x", theOwner); no.Sentence != "traces.running" {
		t.Errorf("a second one: %q", no.Sentence)
	}
	b.apply(func(c *config.Config) { c.Supervision.LegalBasis.Purposes = []string{"training"} })
	b.eventually("it ends with what it rests on", func() bool { return !b.permitted() })
	if no := p.Permit("phone:201", time.Hour, "x", theOwner); no.Sentence != "traces.basis" {
		t.Errorf("without a basis: %q", no.Sentence)
	}
	b.eventually("the audit log says so", func() bool { return slices.Equal(b.traced(), []string{"expired", "on owner"}) })
}

func TestAPermissionOfRTPEndsByTheKernelsCountWhateverTheClockSays(t *testing.T) {
	for name, change := range map[string]func(*kernel){
		"its time is over":       func(k *kernel) { k.up.Store(int64(15 * time.Minute)) },
		"the machine is another": func(k *kernel) { k.boot.Store("another boot") },
	} {
		t.Run(name, func(t *testing.T) {
			b, k := tracing(t)
			b.box.rtpTrace.permit("phone:201", 15*time.Minute, "x", theOwner)
			k.up.Store(int64(15*time.Minute - time.Second))
			b.box.rtpTrace.judge()
			n, err := b.box.present.document()
			if !b.permitted() || err != nil || !strings.Contains(string(n), "rtp_trace_changed") {
				t.Fatalf("it has ended too soon: %s %v", n, err)
			}
			change(k)
			b.box.rtpTrace.look()
			b.eventually("it ends", func() bool { return !b.permitted() })
			b.eventually("nobody is told of it any more", func() bool {
				n, _ := b.box.present.document()
				return !strings.Contains(string(n), "rtp_trace_changed") && len(b.box.hot.Load(kindRTPTrace)) == 0
			})
			if got := b.traced(); !slices.Equal(got, []string{"expired", "on owner"}) {
				t.Errorf("the audit log: %v", got)
			}
		})
	}
}

func TestARestartGoesOnWithAPermissionOfRTPAndNeverExtendsIt(t *testing.T) {
	whole := tracePermission{V: versionRTPTrace, Of: "phone:201", By: "owner", Why: "x", Boot: "this boot", Begun: time.Now().Add(-10 * time.Hour), Until: 15 * time.Minute}
	text := func(change func(*tracePermission)) []byte {
		p := whole
		change(&p)
		body, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	for name, c := range map[string]struct {
		body []byte
		on   bool
	}{
		"as it was":          {text(func(*tracePermission) {}), true},
		"over meanwhile":     {text(func(p *tracePermission) { p.Until = 10 * time.Minute }), false},
		"of another boot":    {text(func(p *tracePermission) { p.Boot = "another boot" }), false},
		"of no boot":         {text(func(p *tracePermission) { p.Boot = "" }), false},
		"of who is gone":     {text(func(p *tracePermission) { p.Of = "phone:999" }), false},
		"of a later version": {text(func(p *tracePermission) { p.V++ }), false},
		"of rubbish":         {[]byte("\x00{"), false},
	} {
		t.Run(name, func(t *testing.T) {
			b, k := tracing(t)
			k.up.Store(int64(10 * time.Minute))
			if err := b.box.hot.Put(kindRTPTrace, keyRTPTrace, c.body); err != nil {
				t.Fatal(err)
			}
			if err := b.box.restoreRTPTrace(); err != nil {
				t.Fatal(err)
			}
			on := b.box.rtpTrace.page().On
			if (on != nil) != c.on || (len(b.box.hot.Load(kindRTPTrace)) > 0) != c.on {
				t.Fatalf("%+v", on)
			}
			if rest := 5 * time.Minute; c.on && (time.Until(on.Until) > rest || time.Until(on.Until) < rest-time.Minute) {
				t.Errorf("it ends in %v", time.Until(on.Until))
			}
		})
	}
}

// Whoever comes and goes, just the calls in which the permitted one takes part are kept.
func TestJustTheCallsOfThePermittedOneAreKept(t *testing.T) {
	b, _ := tracing(t)
	x := &b.box.rtpTrace
	x.permit("phone:201", time.Hour, "x", theOwner)
	parties := map[tel.LegID]tel.PartyChanged{}
	who := []string{"phone:201", "phone:202", "trunk:tim"}
	for step := range 3000 {
		leg := tel.LegID(fmt.Sprint("l", rand.IntN(8)))
		e, there := parties[leg]
		switch {
		case !there:
			e = tel.PartyChanged{Leg: leg, Party: who[rand.IntN(len(who))], Call: tel.CallID(fmt.Sprint("c", rand.IntN(4))), Phase: tel.PartyTalking}
			parties[leg] = e
		case rand.IntN(3) == 0: // another call takes it, and the old one says so later
			old := e
			e.Call = tel.CallID(fmt.Sprint("c", rand.IntN(4)))
			parties[leg] = e
			x.party(e)
			if old.Phase = tel.PartyGone; old.Call != e.Call {
				e = old
			}
		default:
			delete(parties, leg)
			e.Phase = tel.PartyGone
		}
		x.party(e)
		want := map[tel.CallID]bool{}
		for _, p := range parties {
			if p.Party == "phone:201" {
				want[p.Call] = true
			}
		}
		x.mu.Lock()
		got := len(x.calls)
		for call := range x.calls {
			if !want[call] {
				got = -1
			}
		}
		x.mu.Unlock()
		if got != len(want) {
			t.Fatalf("step %d: the calls of %v are kept, want %v", step, x.calls, want)
		}
	}
	x.stop(theOwner)
	if len(x.calls) != 0 || !slices.Equal(b.traced(), []string{"off owner", "on owner"}) {
		t.Errorf("after its end: %v, %v", x.calls, b.traced())
	}
	x.stop(theOwner)
	if len(b.traced()) != 2 {
		t.Error("an end that was none is in the audit log")
	}
}

// While a recording is paused for the number of a card nothing of it can be heard in a trace, on any leg.
func TestATraceHasNoSoundWhileARecordingIsPausedForACard(t *testing.T) {
	b, _ := tracing(t)
	anna, _ := b.talker("201", 440)
	_, bruno := b.talker("202", 620)
	c, err := anna.Dial(peer.Outgoing{To: "202"})
	if err != nil {
		t.Fatal(err)
	}
	picksUp(t, bruno)
	hears(b, "Anna", c, 620)
	presses := func(do string) {
		t.Helper()
		if err := b.box.ownCommand(t.Context(), "anna", do, ""); err != nil {
			t.Fatalf("%s: %v", do, err)
		}
	}
	b.eventually("a recording may begin", func() bool { return b.box.ownCommand(t.Context(), "anna", "record", "") == nil })
	b.eventually("it runs", func() bool { return b.box.tapeOf("anna", true).On })
	presses("record_pause")
	b.eventually("it is paused", func() bool { return b.box.tapeOf("anna", true).Paused })
	b.box.rtpTrace.permit("phone:202", time.Hour, "x", theOwner) // while it is paused
	covered := func() (whole, paused int) {
		for _, k := range b.box.rtpTrace.ring.Calls() {
			for _, p := range b.box.rtpTrace.ring.Packets(k.Call) {
				switch {
				case p.Control:
				case p.Covered == capture.Paused:
					paused++
				default:
					whole++
				}
			}
		}
		return whole, paused
	}
	b.eventually("packets are kept", func() bool { _, n := covered(); return n > 40 })
	if whole, _ := covered(); whole > 0 {
		t.Errorf("%d packets of the pause can be heard", whole)
	}
	presses("record_resume")
	b.eventually("it is heard again", func() bool { n, _ := covered(); return n > 40 })
	c.Hangup()
}

func TestWhoIsErasedIsInNoTrace(t *testing.T) {
	b, _ := tracing(t)
	b.box.rtpTrace.permit("phone:201", time.Hour, "x", theOwner)
	ring := b.box.rtpTrace.ring
	for call, number := range map[string]string{"c1": "390612345678", "c2": "0698765432", "c3": ""} {
		if number != "" {
			b.box.trace.Add(trace.Message{At: time.Now(), Text: []byte("INVITE sip:400@box SIP/2.0\r\nFrom: <sip:" + number + "@carrier>;tag=1\r\nCall-ID: of-" + call + "\r\n\r\n")})
			b.box.trace.Bind("of-"+call, tel.CallID(call))
		}
		ring.Call(tel.CallID(call)).Keep(&capture.Packet{At: time.Now(), Codec: codec.PCMA, Start: 12, End: 172, Bytes: make([]byte, 172)})
	}
	e, err := erasure.New("+390612345678", "owner", "", "asked", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.box.forgetTraces(erasure.List{e})
	var left []tel.CallID
	for _, k := range ring.Calls() {
		left = append(left, k.Call)
	}
	if !slices.Equal(left, []tel.CallID{"c2"}) || len(b.box.trace.Find("c1")) != 0 || len(b.box.trace.Find("c2")) != 1 {
		t.Errorf("RTP of %v is left; %d dialogs of the erased, %d of another", left, len(b.box.trace.Find("c1")), len(b.box.trace.Find("c2")))
	}
}
