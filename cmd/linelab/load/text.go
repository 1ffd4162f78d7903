package load

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

func (q Quantiles) String() string {
	if q.N == 0 {
		return "none"
	}
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms, max %.2f ms", q.P50, q.P99, q.Max)
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	r.tell(func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) })
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) tell(say func(string, ...any)) {
	say("%s over %s, %s: %.1f s, at most %d calls at once, %.1f call-seconds", r.Server, r.Transport, r.Codec, r.Lasted, r.Peak, r.CallSecs)
	if r.Stopped != "" {
		say("STOPPED before its end: %s", r.Stopped)
	}
	say("calls       %d tried of %d, %d answered, %d failed", r.Tried, r.Asked, r.Answered, r.Failed)
	for _, status := range slices.Sorted(maps.Keys(r.Refused)) {
		say("            %d refused: %s", r.Refused[status], status)
	}
	for _, line := range []struct {
		n    int
		what string
	}{
		{r.Unanswered, "INVITEs without any answer"},
		{r.Cancelled, "cancelled, because they rang too long or the run was stopped"},
		{r.Cut, "ended before their time by the other side"},
		{r.Open, "not ended: BYE or CANCEL was not answered"},
		{r.NoAudio, "answered without our codec"},
		{r.LeftOpen, "left open at called users"},
	} {
		if line.n > 0 {
			say("            %d %s", line.n, line.what)
		}
	}
	for _, e := range slices.Sorted(maps.Keys(r.Errors)) {
		say("            %d could not be tried: %s", r.Errors[e], e)
	}
	say("            %d reached users of this run", r.Reached)
	say("INVITE-180  %s", r.ToRing)
	say("INVITE-200  %s", r.ToAnswer)
	say("BYE-200     %s", r.ToEnd)
	for _, d := range r.Directions {
		r.direction(say, d)
	}
	if c := r.Cost; c != nil {
		if c.Error != "" {
			say("server      %s", c.Error)
		} else {
			say("server      %.0f ms of processor, %.3f ms per call-second (set-up included); memory %.1f MB, at most %.1f MB (%.0f KB per call at once)",
				c.CPU, c.PerCallSec, c.RSSBefore, c.RSSMost, c.PerPeakCall)
		}
	}
	g := r.Generator
	say("generator   %.0f ms of processor (%.0f %% of one, %.3f ms per call-second), machine busy %.0f %%; packets left late %s",
		g.CPU, 100*g.Share, g.PerCallSec, 100*g.MachineBusy, g.Late)
	for _, text := range r.Warnings {
		say("note        %s", text)
	}
	for _, text := range r.Missed {
		say("NOT KEPT    %s", text)
	}
	if r.Answered == 0 {
		say("NO CALL WAS ANSWERED")
	}
}

func (r *Report) direction(say func(string, ...any), d Direction) {
	if !d.Measured {
		say("audio       %s: not measured: %s", d.Name, d.Why)
		return
	}
	kind := "added delay"
	if !d.oneWayDelay {
		kind = "round trip"
	}
	say("audio       %s: %d packets sent, %d received, %d lost, %d out of order, %d twice; %s %s", d.Name, d.Sent, d.Received, d.Lost, d.OutOfOrder, d.Duplicated, kind, d.Delay)
	say("            longest gap %.0f ms; said before the way was open %s", d.LongestGap, d.FirstHeard)
	if d.Unheard > 0 {
		say("            %d of %d streams were never heard", d.Unheard, d.Streams)
	}
	if d.Strangers > 0 {
		say("            %d packets came that hold nothing of what was sent", d.Strangers)
	}
}
