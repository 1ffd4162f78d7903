package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/useragent"
)

// Quantiles of durations, in milliseconds. N is of how many.
type Quantiles struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// Direction is what became of the audio of one way.
type Direction struct {
	Name        string    `json:"name"`
	Measured    bool      `json:"measured"`
	Why         string    `json:"why_not,omitempty"` // it is not measured
	Streams     int       `json:"streams"`
	Unheard     int       `json:"unheard_streams"` // none of their packets came
	Sent        int       `json:"sent"`            // after the first that was heard, and all of the unheard
	Received    int       `json:"received"`
	Lost        int       `json:"lost"`
	OutOfOrder  int       `json:"out_of_order"`
	Duplicated  int       `json:"duplicated"`
	Strangers   int       `json:"packets_of_the_server"` // that hold none of our marks
	Delay       Quantiles `json:"delay"`
	FirstHeard  Quantiles `json:"before_first_heard"` // audio that left before the way was open
	LongestGap  float64   `json:"longest_gap_ms"`
	oneWayDelay bool
}

// Cost is what the server's process used while the calls lasted.
type Cost struct {
	Error       string  `json:"error,omitempty"`
	CPU         float64 `json:"cpu_ms"`
	PerCallSec  float64 `json:"cpu_ms_per_call_second"`
	RSSBefore   float64 `json:"rss_before_mb"`
	RSSMost     float64 `json:"rss_most_mb"`
	PerPeakCall float64 `json:"rss_growth_kb_per_call_at_once"`
}

// Generator is what the measuring itself did to the figures.
type Generator struct {
	CPU         float64   `json:"cpu_ms"`
	Share       float64   `json:"cpu_share_of_one_processor"`
	PerCallSec  float64   `json:"cpu_ms_per_call_second"`
	MachineBusy float64   `json:"machine_busy_share"`
	Late        Quantiles `json:"packets_left_late"`
	CallsLate   Quantiles `json:"calls_placed_late"`
	Resent      int64     `json:"messages_sent_again"`
}

// Report is what a run found. Times are in milliseconds.
type Report struct {
	Server    string `json:"server"`
	Transport string `json:"transport"`
	Codec     string `json:"codec"`
	Stopped   string `json:"stopped,omitempty"` // why it ended before its time

	Asked      int            `json:"calls_asked"`
	Tried      int            `json:"calls_tried"`
	Answered   int            `json:"answered"`
	Refused    map[string]int `json:"refused"` // by status
	Unanswered int            `json:"invite_unanswered"`
	Cancelled  int            `json:"cancelled"` // rang too long, or the run was stopped
	Cut        int            `json:"ended_early_by_server"`
	Open       int            `json:"not_ended"` // BYE or CANCEL unanswered
	NoAudio    int            `json:"answered_without_codec"`
	Errors     map[string]int `json:"errors"`
	Failed     int            `json:"failed"` // all that was not answered, kept up and ended in order
	Reached    int            `json:"reached_our_users"`
	LeftOpen   int            `json:"left_open_at_our_users"`
	Peak       int            `json:"calls_at_once"`
	CallSecs   float64        `json:"call_seconds"`
	Lasted     float64        `json:"seconds"`
	ToRing     Quantiles      `json:"invite_to_180"`
	ToAnswer   Quantiles      `json:"invite_to_200"`
	ToEnd      Quantiles      `json:"bye_to_200"`
	Directions []Direction    `json:"directions"`
	Direct     int            `json:"streams_past_the_server"`
	Cost       *Cost          `json:"server_process,omitempty"`
	Generator  Generator      `json:"generator"`
	Warnings   []string       `json:"warnings"`
	Missed     []string       `json:"bars_not_kept"`
}

// Kept reports whether the run did what was asked for and kept its bars.
func (r *Report) Kept() bool { return len(r.Missed) == 0 && r.Stopped == "" && r.Answered > 0 }

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func quantiles(s useragent.Spread) Quantiles {
	return Quantiles{s.N(), ms(s.Quantile(0.5)), ms(s.Quantile(0.99)), ms(s.Max())}
}

// report makes the report of a run that is over.
func (r *run) report(u used, cause error) *Report {
	t := &r.tally
	t.up(0)
	t.mu.Lock()
	defer t.mu.Unlock()
	rep := &Report{
		Server: r.cfg.Server, Transport: r.cfg.Transport, Codec: r.cfg.Codec.Name,
		Asked: r.cfg.Calls, Tried: t.tried, Answered: t.answered, Refused: t.refused, Unanswered: t.unheard, Cancelled: t.cancelled,
		Cut: t.cut, Open: t.open, NoAudio: t.noAudio, Errors: t.errors, Reached: t.came, LeftOpen: t.leftover, Peak: t.peak,
		CallSecs: t.talked.Seconds(), Lasted: u.lasted.Seconds(),
		ToRing: quantiles(t.toRing), ToAnswer: quantiles(t.toAnswer), ToEnd: quantiles(t.toEnd), Direct: t.past,
		Warnings: append([]string{}, t.notes...), Missed: []string{},
	}
	switch {
	case errors.Is(cause, errGone):
		rep.Stopped = errGone.Error()
	case errors.Is(cause, context.Canceled):
		rep.Stopped = "interrupted"
	case cause != nil:
		rep.Stopped = cause.Error()
	}
	rep.Failed = t.unheard + t.cancelled + t.cut + t.noAudio + t.open
	for _, n := range t.refused {
		rep.Failed += n
	}
	for _, n := range t.errors {
		rep.Failed += n
	}
	rep.Failed = min(rep.Failed, rep.Tried) // a call can fail in two ways
	rep.Directions = r.directions()
	rep.Generator = r.generator(u)
	if r.cfg.Pid > 0 {
		rep.Cost = costOf(u, t)
	}
	rep.warn(&t.sums)
	rep.judge(r.cfg)
	return rep
}

func costOf(u used, t *tally) *Cost {
	const mb = 1 << 20
	c := &Cost{CPU: ms(u.server), RSSBefore: float64(u.before) / mb, RSSMost: float64(u.most) / mb}
	if u.serverError != nil {
		c.Error = "not measured: " + u.serverError.Error()
		c.CPU = 0
		return c
	}
	if s := t.talked.Seconds(); s > 0 {
		c.PerCallSec = c.CPU / s
	}
	if t.peak > 0 {
		c.PerPeakCall = float64(u.most-u.before) / 1024 / float64(t.peak)
	}
	return c
}

func (r *run) generator(u used) Generator {
	g := Generator{CPU: ms(u.own), MachineBusy: u.machine, Late: quantiles(r.audio.Late()), CallsLate: quantiles(r.tally.late)}
	if u.lasted > 0 {
		g.Share = float64(u.own) / float64(u.lasted)
	}
	if s := r.tally.talked.Seconds(); s > 0 {
		g.PerCallSec = g.CPU / s
	}
	for _, p := range r.phones {
		g.Resent += p.Resent()
	}
	return g
}

// directions tells the ways that any audio took. It is called with the tally's mu held.
func (r *run) directions() (all []Direction) {
	t := &r.tally
	for i, name := range []string{useragent.ToAnswerer: "caller to called", useragent.ToCaller: "called to caller", useragent.Echoed: "there and back"} {
		way, w := useragent.Way(i), &t.ways[i]
		if w.streams == 0 && w.strangers == 0 {
			continue
		}
		if way == useragent.ToAnswerer && t.withAudio == 0 && t.ways[useragent.Echoed].streams > 0 && w.unheard == w.streams {
			continue // what nobody sent back is counted there
		}
		d := Direction{
			Name: name, Measured: true, Streams: w.streams, Unheard: w.unheard, Sent: w.sent, Received: w.received, Lost: w.lost,
			OutOfOrder: w.outOfOrder, Duplicated: w.duplicated, Strangers: w.strangers, Delay: quantiles(r.audio.Delay(way)),
			FirstHeard: quantiles(w.head), LongestGap: ms(w.gap), oneWayDelay: way != useragent.Echoed,
		}
		if way == useragent.Echoed && t.withAudio == 0 { // callers that heard nothing of themselves
			missing := &t.ways[useragent.ToAnswerer]
			d.Streams, d.Unheard = d.Streams+missing.unheard, missing.unheard
			d.Sent, d.Lost = d.Sent+missing.unheardSent, d.Lost+missing.unheardSent
		}
		switch {
		case w.received > 0:
		case w.strangers > 0:
			d.Measured, d.Why = false, fmt.Sprintf("%d packets came that hold nothing of what was sent: the server decodes, or speaks itself", w.strangers)
		case way == useragent.ToAnswerer && t.came == 0:
			d.Measured, d.Why = false, "who was called is none of our users and sends nothing back"
		}
		if d.Measured {
			d.Sent, d.Lost = d.Sent+w.unheardSent, d.Lost+w.unheardSent
		}
		all = append(all, d)
	}
	return all
}

// warn says what the limits of the machine, or the server's ways, make of the figures.
func (r *Report) warn(sums *useragent.Told) {
	g := &r.Generator
	say := func(format string, args ...any) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...)) }
	if g.MachineBusy > 0.85 {
		say("this machine worked %.0f %% of the time: if the server is on it, delays and set-up times are the machine's as much as its own", 100*g.MachineBusy)
	}
	if g.Share > 0.7 {
		say("this generator used %.0f %% of one processor: ask for less, or run it on another machine", 100*g.Share)
	}
	if g.Late.P99 > 5 {
		say("packets left up to %.1f ms (p99) later than a phone would send them: the server got them in bursts", g.Late.P99)
	}
	if g.CallsLate.Max > 100 {
		say("calls were placed up to %.0f ms late: the rate was not that of the question", g.CallsLate.Max)
	}
	if sums.Unsent > 0 {
		say("this machine's kernel did not send %d packets, which count as lost", sums.Unsent)
	}
	if g.Resent > 0 {
		say("%d messages were sent again because the server was late or a packet was lost", g.Resent)
	}
	if r.Direct > 0 {
		say("%d streams were sent past the server (direct media): their delay and losses are the network's, and the server's processor had no part in them", r.Direct)
	}
	if r.Cut > 0 {
		say("%d calls were ended by the other side before their time", r.Cut)
	}
	if r.LeftOpen > 0 && r.Stopped == "" {
		say("%d calls were left open at called users after their caller had hung up", r.LeftOpen)
	}
}

// judge compares the figures with the bars.
func (r *Report) judge(cfg Config) {
	miss := func(format string, args ...any) { r.Missed = append(r.Missed, fmt.Sprintf(format, args...)) }
	if cfg.MaxFailed.Set && !cfg.MaxFailed.kept(r.Failed, r.Tried) {
		miss("-max-failed %s: %d of %d calls failed", cfg.MaxFailed, r.Failed, r.Tried)
	}
	sent, lost, measured, worst := 0, 0, false, 0.0
	for _, d := range r.Directions {
		if d.Measured {
			measured = true
			sent, lost = sent+d.Sent, lost+d.Lost
			worst = max(worst, d.Delay.P99)
		} else if (cfg.MaxLost.Set || cfg.MaxDelay > 0) && d.Streams > 0 {
			miss("-max-lost, -max-delay: %s was not measured (%s)", d.Name, d.Why)
		}
	}
	if (cfg.MaxLost.Set || cfg.MaxDelay > 0) && !measured {
		miss("-max-lost, -max-delay: no audio was measured")
		return
	}
	if cfg.MaxLost.Set && !cfg.MaxLost.kept(lost, sent) {
		miss("-max-lost %s: %d of %d packets were lost", cfg.MaxLost, lost, sent)
	}
	if cfg.MaxDelay > 0 && worst > ms(cfg.MaxDelay) {
		miss("-max-delay %v: p99 %.1f ms", cfg.MaxDelay, worst)
	}
}
