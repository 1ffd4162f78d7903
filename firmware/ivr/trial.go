package ivr

// Trial tries a line in both directions: somebody who was called from it hears something and presses a key. Who
// presses it has heard the box, and the box has heard the key.
type Trial struct {
	Names []string `json:"names"` // said up to three times
	Key   rune     `json:"key"`
}

const stageTrial stage = "trial"

func (r *run) trial(e Event) {
	s := r.s
	switch e := e.(type) {
	case Started, Resumed:
		r.play(stageTrial, s.Trial.Names...)
	case Played:
		r.wait(keyWait)
	case Digit:
		r.hush()
		if e.Key != s.Trial.Key {
			r.play(stageTrial, s.Trial.Names...)
			return
		}
		r.do(Proved{})
		r.end("", "goodbye")
	case Expired:
		if r.silent(maxSilent) {
			r.end("", "goodbye")
			return
		}
		r.play(stageTrial, s.Trial.Names...)
	}
}
