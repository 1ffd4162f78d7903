package gsm

import "time"

// Timing holds every wait of the driver. The zero value of a field takes its default.
type Timing struct {
	Announce  time.Duration // first RING to Incoming, in the hope of a number; 1.5 s
	RingGap   time.Duration // without RING, a caller has gone; 7 s
	RingMax   time.Duration // an unanswered call is refused; 3 min
	Command   time.Duration // answer to ATD or ATA; 40 s, a fall-back from LTE to 3G takes as long
	SetUp     time.Duration // dialled to answered; 3 min
	AudioOn   time.Duration // answered to sound; 12 s
	AudioTry  time.Duration // between two tries to switch the audio on; 500 ms
	Poll      time.Duration // between two looks at the modem's list of calls; 5 s
	Rung      [3]time.Duration
	Cause     time.Duration   // answer to the question why a call failed; 1 s
	Settle    time.Duration   // after a call, in which its last words are no news; 500 ms
	Probe     time.Duration   // one resync probe of the engine; 1 s
	Reply     time.Duration   // any other command; 5 s
	Health    time.Duration   // between two signs of life of an idle modem; 5 s
	Survey    time.Duration   // between two looks at registration and signal; 30 s
	Reopen    []time.Duration // from a failure to the next try, the last for ever; 1, 2, 5, 10, 15 s
	Rescan    time.Duration   // between two looks for a modem that is not there; 2 s
	Network   time.Duration   // the network's answer to a message or a service code; 40 s
	Sweep     time.Duration   // between two looks at the stored messages; 10 min
	Rest      time.Duration   // after a failure with messages; 30 s
	BootGrace time.Duration   // words of a starting modem are no news so long after an initialisation; 30 s
}

func (t Timing) withDefaults() Timing {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&t.Announce, 1500*time.Millisecond)
	def(&t.RingGap, 7*time.Second)
	def(&t.RingMax, 3*time.Minute)
	def(&t.Command, 40*time.Second)
	def(&t.SetUp, 3*time.Minute)
	def(&t.AudioOn, 12*time.Second)
	def(&t.AudioTry, 500*time.Millisecond)
	def(&t.Poll, 5*time.Second)
	def(&t.Rung[0], 2*time.Second)
	def(&t.Rung[1], 3*time.Second)
	def(&t.Rung[2], 3*time.Second)
	def(&t.Cause, time.Second)
	def(&t.Settle, 500*time.Millisecond)
	def(&t.Probe, time.Second)
	def(&t.Reply, 5*time.Second)
	def(&t.Health, 5*time.Second)
	def(&t.Survey, 30*time.Second)
	def(&t.Network, 40*time.Second)
	def(&t.Sweep, 10*time.Minute)
	def(&t.Rest, 30*time.Second)
	def(&t.BootGrace, 30*time.Second)
	def(&t.Rescan, 2*time.Second)
	if len(t.Reopen) == 0 {
		// The last one and the time of a try that comes too early make less than the 40 s in which a line
		// has to be in service again.
		t.Reopen = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second}
	}
	return t
}
