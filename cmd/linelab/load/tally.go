package load

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/useragent"
)

// tally counts what happens while a run lasts. Its zero value is ready.
type tally struct {
	mu sync.Mutex

	tried, answered, cancelled, unheard, cut, open, noAudio int
	refused                                                 map[string]int // by status and words
	errors                                                  map[string]int
	toRing, toAnswer, toEnd, late                           useragent.Spread
	came, withAudio, leftover                               int
	notes                                                   []string

	upNow, peak int
	upSince     time.Time
	talked      time.Duration // of all calls together

	ways [3]wayTally
	sums useragent.Told // of all streams
	past int            // streams that the server had sent past itself
}

// wayTally is what became of the packets of one way.
type wayTally struct {
	streams, unheard int // unheard: none of its packets came anywhere
	sent, received   int // sent: after the first that was heard
	lost, outOfOrder int
	duplicated       int
	unheardSent      int
	strangers        int // came on that way without a mark
	head             useragent.Spread
	gap              time.Duration
}

// tail is how much may be under way at once when the other side hangs up: what left in that time before is not lost.
const tail = 200 * time.Millisecond / frame

// frame is what a packet lasts.
const frame = 20 * time.Millisecond

func (t *tally) placed(late time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.late.Add(late)
}

// up notes that one call more or less is answered.
func (t *tally) up(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.talked += time.Duration(t.upNow) * now.Sub(t.upSince)
	t.upNow, t.upSince = t.upNow+n, now
	t.peak = max(t.peak, t.upNow)
}

// note keeps a sentence for the report, once.
func (t *tally) note(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(t.notes, text) && len(t.notes) < 20 {
		t.notes = append(t.notes, text)
	}
}

// reached counts a call that came to a user of ours.
func (t *tally) reached(spoke bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.came++
	if spoke {
		t.withAudio++
	}
}

// leftOpen counts a call that the server left open at a user of ours.
func (t *tally) leftOpen() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leftover++
}

// called counts a call that we placed.
func (t *tally) called(o *outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused == nil {
		t.refused, t.errors = map[string]int{}, map[string]int{}
	}
	t.tried++
	switch {
	case o.failed != nil:
		t.errors[o.failed.Error()]++
		return
	case o.cancelled:
		t.cancelled++
	case o.unheard:
		t.unheard++
	case o.status > 0:
		t.refused[fmt.Sprintf("%d %s", o.status, o.reason)]++
	}
	if !o.ringing.IsZero() {
		t.toRing.Add(o.ringing.Sub(o.began))
	}
	if !o.answered.IsZero() && !o.cancelled {
		t.answered++
		t.toAnswer.Add(o.answered.Sub(o.began))
		if o.noAudio {
			t.noAudio++
		}
		if o.cut {
			t.cut++
		}
	}
	switch {
	case o.open:
		t.open++
	case !o.bye.IsZero() && !o.ended.IsZero():
		t.toEnd.Add(o.ended.Sub(o.bye))
	}
}

// stream counts the audio of one side of a call. Orderly is whether the other side hung up while it was still sent.
func (t *tally) stream(s useragent.Told, caller, orderly bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	way, back := useragent.ToAnswerer, useragent.ToCaller
	switch {
	case !caller:
		way, back = useragent.ToCaller, useragent.ToAnswerer
	case s.Received > 0 && !s.Peer:
		way = useragent.Echoed
	}
	t.ways[back].strangers += s.Strangers
	t.sums.Sent += s.Sent
	t.sums.Received += s.Received
	t.sums.Unsent += s.Unsent
	if s.Direct {
		t.past++
	}
	if s.Sent == 0 {
		return
	}
	w := &t.ways[way]
	w.streams++
	if s.Received == 0 {
		w.unheard++
		w.unheardSent += s.Sent
		return
	}
	excused := 0
	if orderly {
		excused = min(s.Tail, int(tail))
	}
	w.sent += s.Sent - s.Head - excused
	w.received += s.Received
	w.lost += s.Lost - excused
	w.outOfOrder += s.OutOfOrder
	w.duplicated += s.Duplicated
	w.head.Add(time.Duration(s.Head) * frame)
	w.gap = max(w.gap, s.Gap)
}
