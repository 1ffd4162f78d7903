package fxo

import "time"

// Timing holds every wait of the driver. The zero value of a field takes its default.
type Timing struct {
	Announce time.Duration // first RING to Incoming, in the hope of a number, which comes within 3 s; 4 s
	RingGap  time.Duration // without RING a caller has gone; the Italian pause is 4 s; 6.5 s
	RingMax  time.Duration // an unanswered call is not told any more; 3 min
	DialTone time.Duration // off hook to dial tone; 5 s
	SetUp    time.Duration // dialled to answered; 3 min
	Assume   time.Duration // after the digits, without any tone, a call counts as answered; 12 s
	Doubt    time.Duration // in which sound contradicts a <DLE> event; 1.2 s
	Settle   time.Duration // on hook until the line may be seized again; 1 s
	Silence  time.Duration // a far end that is silent so long has gone; 1 h: who waits in a queue may be silent
	Longest  time.Duration // no call is longer; 6 h
	Flash    time.Duration // the break of a hook flash, and what a modem's own must be to within a half; 100 ms
	Recall   time.Duration // after a flash, and after each digit that follows it, the exchange may listen to us; 20 s

	Reply   time.Duration // answer to a command; 5 s
	End     time.Duration // one try to end a stream; 1 s
	Tail    time.Duration // what follows an end that nobody asked for; 300 ms
	Drought time.Duration // a stream that stands still so long is broken; 1 s
	Listen  time.Duration // at start, for a stream that an earlier process left; 250 ms
	Health  time.Duration // between two looks at an idle modem; 5 s
	Reopen  []time.Duration
}

func (t Timing) withDefaults() Timing {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&t.Announce, 4*time.Second)
	def(&t.RingGap, 6500*time.Millisecond)
	def(&t.RingMax, 3*time.Minute)
	def(&t.DialTone, 5*time.Second)
	def(&t.SetUp, 3*time.Minute)
	def(&t.Assume, 12*time.Second)
	def(&t.Doubt, 1200*time.Millisecond)
	def(&t.Settle, time.Second)
	def(&t.Silence, time.Hour)
	def(&t.Longest, 6*time.Hour)
	def(&t.Flash, 100*time.Millisecond)
	def(&t.Recall, 20*time.Second)
	def(&t.Reply, 5*time.Second)
	def(&t.End, time.Second)
	def(&t.Tail, 300*time.Millisecond)
	def(&t.Drought, time.Second)
	def(&t.Listen, 250*time.Millisecond)
	def(&t.Health, 5*time.Second)
	if len(t.Reopen) == 0 {
		t.Reopen = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second}
	}
	return t
}
