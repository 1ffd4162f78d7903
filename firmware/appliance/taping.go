package appliance

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
)

// taping records conversations: it is the exchange's Recorder. Nothing in it waits for the disk but the engine's
// writers.
type taping struct {
	b       *Box
	archive *record.Archive // nil: its directory cannot be used
	whole   *wholeness

	mu      sync.Mutex // guards running
	running map[string]*running
}

// running is a part that is recorded.
type running struct {
	chain  string
	tape   *media.Tape
	forget bool // the caller has opted out

	agents       []tel.AgentID // who take part
	demanded     bool          // somebody has asked for it, and may end it
	paused, held bool          // nothing is kept: for a card, or on hold
	over         bool          // it is being closed
	call         tel.CallID    // empty: of a room
}

// openRecordings opens the archive of recordings. Without it calls are not recorded, and the page says so.
func (b *Box) openRecordings() error {
	b.taping.running, b.taping.whole = map[string]*running{}, newWholeness()
	var err error
	b.taping.archive, err = record.Open(record.Config{
		Log: b.log.With("room", "recordings"), Dir: filepath.Join(b.opts.Dir, "recordings"),
		Reserve: int64(b.config().Recording.KeepFree) << 20, Told: b.recordingTold,
		Now: b.ages.Now,
	})
	if err != nil {
		b.log.Error("conversations are not recorded", "err", err)
		b.report("recordings", false, err.Error())
	}
	return nil
}

// keepRecordings deletes recordings whose time is over, until done is closed.
func (b *Box) keepRecordings(done <-chan struct{}) {
	if b.taping.archive != nil {
		b.taping.archive.Run(done)
	}
}

// closeRecordings closes the archive; the engine has ended what it wrote.
func (b *Box) closeRecordings() {
	if a := b.taping.archive; a != nil {
		if err := a.Close(); err != nil {
			b.log.Warn("the archive of recordings does not close", "err", err)
		}
	}
}

// recordingTold writes into the audit log what people, and the calendar, do with recordings.
func (b *Box) recordingTold(e record.Entry, r record.Recording) {
	what := map[record.What]access.Deed{
		record.Heard: access.DeedRecordingHeard, record.Downloaded: access.DeedRecordingTaken, record.Held: access.DeedRecordingHeld,
		record.Released: access.DeedRecordingReleased, record.Deleted: access.DeedRecordingDeleted,
	}[e.What]
	if e.What == record.Deleted && e.Why != record.WhyPerson {
		what = map[string]access.Deed{record.WhyExpired: access.DeedRecordingExpired, record.WhyOptOut: access.DeedRecordingOptOut}[e.Why]
	}
	if what != "" && b.audit != nil {
		b.noteAccess(access.Note{At: e.At, What: what, User: e.By, Whom: r.ID})
	}
}

// tapeRule is a rule of the configuration in the words of calls.
func tapeRule(c *config.Recording, r *config.RecordingRule) call.TapeRule {
	if r == nil {
		return call.TapeRule{}
	}
	out := call.TapeRule{
		Mode: call.TapeMode(r.Record), Purpose: r.Purpose, Follow: c.Follow && r.Record != config.RecordNever, Notice: c.Notice, OnHold: c.OnHold,
		Demand: c.DemandKeys, Pause: c.PauseKeys,
	}
	if p := c.PurposeOf(r.Purpose); p != nil {
		out.Keep = time.Duration(p.Days) * 24 * time.Hour
	}
	if c.OptOut != "" {
		out.OptOut = rune(c.OptOut[0])
	}
	return out
}

// Judge implements call.Recorder by the configuration of today.
func (t *taping) Judge(ask call.TapeAsk) call.TapeRule {
	c := &t.b.config().Recording
	return tapeRule(c, c.Rule(ask.Direction, ask.Queue, ask.Agents, ask.Via))
}

// Begin implements call.Recorder.
func (t *taping) Begin(p call.Tape, legs []call.Leg, failed func(why string)) {
	var audio []*media.Leg
	for _, l := range legs {
		if o, ok := l.(interface{ Media() *media.Leg }); ok {
			audio = append(audio, o.Media())
		}
	}
	if t.archive == nil || len(audio) != len(legs) {
		failed("there is no archive of recordings")
		return
	}
	r := &running{chain: p.Chain, agents: p.Agents, demanded: p.Rule.Mode == call.TapeDemand}
	t.run(aboutOf(p), r, failed, func(c media.TapeConfig) (*media.Tape, error) { return t.b.engine.Tape(c, audio...) })
}

// run begins a part by what begin does.
func (t *taping) run(about tape.About, r *running, failed func(why string), begin func(media.TapeConfig) (*media.Tape, error)) *media.Tape {
	t.mu.Lock()
	r.call = tel.CallID(about.Call)
	t.running[about.ID] = r
	t.mu.Unlock()
	tp, err := begin(media.TapeConfig{
		Open: func() (media.TapeFile, error) { return t.archive.Begin(about) },
		Done: func(o media.Taped) { t.ended(about.ID, o, failed) },
	})
	if err != nil {
		t.forget(about.ID)
		failed(err.Error())
		return nil
	}
	t.mu.Lock()
	r.tape = tp
	t.mu.Unlock()
	return tp
}

// aboutOf is what the file of a part says of itself.
func aboutOf(p call.Tape) tape.About {
	a := tape.About{ID: p.ID, Chain: p.Chain, Call: string(p.Call), Began: p.Began, Purpose: p.Rule.Purpose, Queue: string(p.Queue)}
	if p.Rule.Keep > 0 {
		a.Until = p.Began.Add(p.Rule.Keep)
	}
	for i, leg := range p.Legs {
		a.Tracks = append(a.Tracks, tape.Track{Leg: string(leg), Party: p.Parties[i]})
	}
	for _, agent := range p.Agents {
		a.Agents = append(a.Agents, string(agent))
	}
	return a
}

// forget takes a part out of what runs.
func (t *taping) forget(id string) *running {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.running[id]
	delete(t.running, id)
	return r
}

// ended follows the end of a part, on a writer of the engine.
func (t *taping) ended(id string, o media.Taped, failed func(why string)) {
	r := t.forget(id)
	t.b.rtpTrace.judgePauses()
	if r != nil && r.forget {
		t.delete(id)
	}
	switch {
	case o.Err != nil:
		t.b.log.Error("a recording ends: the disk refuses", "id", id, "err", o.Err)
		t.b.report("recordings", false, o.Err.Error())
		failed(o.Err.Error())
	case o.Lost > 0:
		t.b.log.Warn("the disk was too slow for a recording", "id", id, "lost", o.Lost)
		t.b.report("recordings", false, fmt.Sprintf("the disk is too slow: %d pieces of 20 ms are missing", o.Lost))
	default:
		t.b.report("recordings", true, "")
	}
}

// of finds the tape of a part that runs.
func (t *taping) of(id string) *media.Tape {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.running[id]; r != nil {
		return r.tape
	}
	return nil
}

// Pause implements call.Recorder.
func (t *taping) Pause(id, why string) {
	t.noted(id, func(r *running) { r.paused, r.held = why == call.TapeCard, why == call.TapeHold })
	t.b.rtpTrace.judgePauses()
	switch tp := t.of(id); {
	case tp == nil:
	case why == "":
		tp.Resume()
	default:
		tp.Pause(why)
	}
}

// silenced reports of which calls a recording is paused for a card number; all says that a room's is, where it cannot be
// told whose call that is.
func (t *taping) silenced() (calls map[tel.CallID]bool, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	calls = map[tel.CallID]bool{}
	for _, r := range t.running {
		if r.paused && r.call == "" {
			all = true
		} else if r.paused {
			calls[r.call] = true
		}
	}
	return calls, all
}

// End implements call.Recorder.
func (t *taping) End(id, why string) {
	t.noted(id, func(r *running) { r.over = true })
	if tp := t.of(id); tp != nil {
		tp.End(why)
	}
}

// Forget implements call.Recorder. What runs is deleted when it has ended, the rest at once, beside the call.
func (t *taping) Forget(chains []string) {
	t.mu.Lock()
	runs := map[string]bool{}
	for id, r := range t.running {
		if slices.Contains(chains, r.chain) {
			r.forget, runs[id] = true, true
		}
	}
	t.mu.Unlock()
	if t.archive == nil {
		return
	}
	t.b.wg.Go(func() {
		for _, r := range t.archive.List(func(r record.Recording) bool { return slices.Contains(chains, r.Chain) && !runs[r.ID] }) {
			t.delete(r.ID)
		}
	})
}

func (t *taping) delete(id string) {
	if err := t.archive.Delete(id, "", record.WhyOptOut); err != nil {
		t.b.log.Error("a recording whose caller opted out is not deleted", "id", id, "err", err)
		t.b.report("recordings", false, err.Error())
	}
}

// notice puts the notice behind the greeting of a queue whose calls are recorded, whoever answers.
func (n *numbering) notice(d *call.Decision) {
	c := &n.cfg.Recording
	r, sure := c.Before(tel.Inbound, d.Queue)
	if sure && r != nil && r.Record == config.RecordAlways && c.Notice {
		rule := tapeRule(c, r)
		d.Notice, d.OptOut = true, rule.OptOut
	}
}
