package appliance

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/health"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const taped = shop + `
recording:
  purposes: [{id: quality, name: Qualità, days: 90}]
  rules: [{id: all, record: always, purpose: quality}]
`

// talker is a registered phone that says a tone.
func (b *bench) talker(user string, hz int) (*peer.Peer, <-chan *peer.Call) {
	b.t.Helper()
	p, rings := sender(b.t, peer.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: netip.MustParseAddrPort(b.sip), User: user, Password: "password-of-" + user, Hz: hz,
	})
	if _, err := p.Register(b.t.Context(), time.Hour); err != nil {
		b.t.Fatal(err)
	}
	return p, rings
}

// parts are the recordings that have ended, the oldest first.
func (b *bench) parts() []record.Recording {
	all := b.box.taping.archive.List(func(r record.Recording) bool { return r.State == record.Ended })
	slices.Reverse(all)
	return all
}

// heardOn fails unless some third of a second of a recording has one tone on the left and another on the right; how
// steadily a busy machine lets phones speak is not judged.
func (b *bench) heardOn(id string, left, right int) {
	b.t.Helper()
	p, err := b.box.taping.archive.Listen(id, "sara", record.Heard)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	const window = 2400
	err = fmt.Errorf("it has %d samples", p.Samples())
	pcm := make([]int16, 2*window)
	for at := 0; at+window <= p.Samples(); at += 400 {
		p.Read(pcm, at)
		var sides [2][]int16
		for i, s := range pcm {
			sides[i%2] = append(sides[i%2], s)
		}
		if err = errors.Join(tone.Heard(sides[0], left, right), tone.Heard(sides[1], right, left)); err == nil {
			return
		}
	}
	b.t.Errorf("%s: %v", id, err)
}

func TestACallIsRecordedByPartyThroughATransferInOneChain(t *testing.T) {
	b := start(t, taped)
	anna, _ := b.talker("201", 440)
	_, bruno := b.talker("202", 620)
	_, carla := b.talker("203", 980)
	c, err := anna.Dial(peer.Outgoing{To: "202"})
	if err != nil {
		t.Fatal(err)
	}
	other := picksUp(t, bruno)
	hears(b, "Anna", c, 620)
	hears(b, "Bruno", other, 440)
	if status, err := other.Refer(t.Context(), "203"); err != nil || status != 202 {
		t.Fatalf("REFER: %d, %v", status, err)
	}
	third := picksUp(t, carla)
	hears(b, "Anna", c, 980)
	hears(b, "Carla", third, 440)
	c.Hangup()
	b.eventually("both parts have ended", func() bool { return len(b.parts()) == 2 })
	parts := b.parts()
	if parts[0].Chain != parts[1].Chain || parts[0].Purpose != "quality" || parts[0].Until.Sub(parts[0].Began) != 90*24*time.Hour {
		t.Errorf("%+v", parts)
	}
	for i, hz := range []int{620, 980} {
		b.heardOn(parts[i].ID, 440, hz)
	}
	var rec tel.CallEnded
	b.eventually("the record is written", func() bool {
		return (&subscription{bench: b}).ended(func(e tel.CallEnded) bool { rec = e; return len(e.Recordings) == 2 })
	})
	for i, p := range rec.Recordings {
		if p.ID != parts[i].ID || p.Chain != parts[i].Chain || string(p.Legs[0]) != parts[i].Tracks[0].Leg {
			t.Errorf("the record names %+v, the archive %+v", p, parts[i])
		}
	}
	if r, err := b.box.taping.archive.Verify(t.Context()); err != nil || len(r.Wrong) > 0 || r.Files != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	b.eventually("the audit log says who listened", func() bool {
		return slices.Contains(b.deeds(), "recording_heard "+parts[0].ID+" by sara")
	})
	if err := b.box.taping.archive.Delete(parts[0].ID, "sara", record.WhyPerson); err != nil {
		t.Error(err)
	}
	if b.box.taping.archive.Sweep(time.Now().Add(91*24*time.Hour)) != 1 {
		t.Error("a recording is kept for longer than its purpose says")
	}
	var told []string
	for _, d := range b.deeds() {
		what, _, _ := strings.Cut(d, " ")
		told = append(told, what)
	}
	if !slices.Equal(told[len(told)-2:], []string{"recording_deleted", "recording_expired"}) {
		t.Errorf("the audit log says %v", told)
	}
}

func TestACallerFromOutsideIsToldAndOptsOut(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	a.apply(func(c *config.Config) {
		c.Trunks[0].In[ourNumber] = "ext:203"
		c.Recording.Purposes = []config.Purpose{{ID: "quality", Days: 1}}
		c.Recording.Rules = []config.RecordingRule{{ID: "in", Record: config.RecordAlways, Purpose: "quality", Direction: "in", Through: []string{"trunk:line"}}}
	})
	_, rings := a.talker("203", 440)
	c := a.into(ourNumber)
	agent := picksUp(t, rings)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) { // the notice takes five
		if _, on := now(a.bench, func(e tel.CallChanged) bool { return e.Recording == "on" }); on {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the call is not recorded")
		}
	}
	hears(a.bench, "the customer, behind the notice", c, 440)
	agent.Audio().Press("*3")
	a.eventually("the agent has paused it", func() bool {
		_, on := now(a.bench, func(e tel.CallChanged) bool { return e.Recording == "paused" })
		return on
	})
	c.Audio().Press("9")
	a.eventually("nothing is left of it", func() bool {
		_, on := now(a.bench, func(e tel.CallChanged) bool { return e.Recording != "" })
		return !on && len(a.box.taping.archive.List(func(record.Recording) bool { return true })) == 0
	})
	hears(a.bench, "the customer, who talks on", c, 440)
	c.Hangup()
	var rec tel.CallEnded
	a.eventually("the record is written", func() bool {
		return a.ended(func(e tel.CallEnded) bool { rec = e; return len(e.Recordings) == 1 })
	})
	if rec.Recordings[0].Why != call.TapeOptOut {
		t.Errorf("%+v", rec.Recordings)
	}
	if files, _ := filepath.Glob(filepath.Join(a.box.opts.Dir, "recordings", "*", "*")); len(files) != 0 {
		t.Errorf("left on the disk: %v", files)
	}
	if d := a.deeds(); !slices.ContainsFunc(d, func(x string) bool { return strings.HasPrefix(x, "recording_opted_out") }) {
		t.Errorf("the audit log says %v", d)
	}
}

func TestAnArchiveThatCannotBeOpenedIsSaidAndCallsGoOn(t *testing.T) {
	b := startWith(t, taped, func(o *Options) {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(o.Dir, "recordings"), []byte("a file"), 0o600); err != nil {
			t.Fatal(err)
		}
	}, func(*Box) {})
	anna, _ := b.talker("201", 440)
	_, bruno := b.talker("202", 620)
	c, err := anna.Dial(peer.Outgoing{To: "202"})
	if err != nil {
		t.Fatal(err)
	}
	picksUp(t, bruno)
	hears(b, "Anna", c, 620)
	c.Hangup()
	var rec tel.CallEnded
	b.eventually("the record is written", func() bool {
		return (&subscription{bench: b}).ended(func(e tel.CallEnded) bool { rec = e; return true })
	})
	if len(rec.Recordings) != 1 || rec.Recordings[0].Failed == "" {
		t.Errorf("%+v", rec.Recordings)
	}
	if h := b.notice("recordings"); h.Severity != string(health.Error) && h.OK {
		t.Errorf("%+v", h)
	}
}

// What callers of a queue are told before somebody answers is true whoever answers.
func TestTheGreetingSaysWhatIsSure(t *testing.T) {
	for _, x := range []struct {
		name  string
		rules []config.RecordingRule
		say   bool
	}{
		{"no rule", nil, false},
		{"all calls", []config.RecordingRule{{Record: config.RecordAlways}}, true},
		{"on demand", []config.RecordingRule{{Record: config.RecordDemand}}, false},
		{"this queue", []config.RecordingRule{{Record: config.RecordAlways, Queues: []tel.QueueID{"sales"}}}, true},
		{"another queue", []config.RecordingRule{{Record: config.RecordAlways, Queues: []tel.QueueID{"desk"}}}, false},
		{"not with one of the agents", []config.RecordingRule{{Record: config.RecordNever, Agents: []tel.AgentID{"anna"}}, {Record: config.RecordAlways}}, false},
		{"calls out", []config.RecordingRule{{Record: config.RecordAlways, Direction: "out"}}, false},
	} {
		n := &numbering{cfg: config.Default()}
		n.cfg.Recording.Rules = x.rules
		d := call.Decision{Queue: "sales"}
		n.notice(&d)
		if d.Notice != x.say || x.say && d.OptOut != '9' {
			t.Errorf("%s: %+v", x.name, d)
		}
	}
}
