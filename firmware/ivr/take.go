package ivr

import "time"

// take records one piece: words, a tone, the recording, and on wish a look back at it.
type take struct {
	Owner   string        `json:"owner"`
	Intro   []string      `json:"intro,omitempty"`
	Short   string        `json:"short"` // said when it was too short
	Max     time.Duration `json:"max"`
	Silence time.Duration `json:"silence"`
	Min     time.Duration `json:"min"`
	Review  bool          `json:"review,omitempty"`
	// Keep says what happens when the caller does not answer at the look back, or leaves.
	Keep bool `json:"keep,omitempty"`

	Path   string        `json:"path,omitempty"` // of what was recorded
	Length time.Duration `json:"length,omitempty"`
	Tries  int           `json:"tries,omitempty"`
}

const (
	stageIntro     stage = "take_intro"
	stageBeep      stage = "take_beep"
	stageRecording stage = "take_recording"
	stageStopping  stage = "take_stopping"
	stageReview    stage = "take_review"
	stageListen    stage = "take_listen"
)

func (s stage) takes() bool {
	switch s {
	case stageIntro, stageBeep, stageRecording, stageStopping, stageReview, stageListen:
		return true
	}
	return false
}

func (r *run) startTake(t take) {
	r.s.Take = &t
	r.heard()
	if len(t.Intro) == 0 {
		r.play(stageBeep, "tone_beep")
		return
	}
	r.play(stageIntro, t.Intro...)
}

func (r *run) take(e Event) {
	s := r.s
	if _, ok := e.(Resumed); ok {
		r.resumeTake()
		return
	}
	switch s.Stage {
	case stageIntro:
		if d, ok := e.(Digit); ok && d.Key == '#' {
			r.play(stageBeep, "tone_beep")
		}
		if _, ok := e.(Played); ok {
			r.play(stageBeep, "tone_beep")
		}
	case stageBeep:
		if _, ok := e.(Played); ok {
			r.record()
		}
	case stageRecording:
		r.recording(e)
	case stageStopping:
		switch e := e.(type) {
		case Recorded:
			r.recorded(e)
		case Expired: // the recorder does not answer
			if s.Kind == KindDeposit {
				r.deliver(s.Recording, 0)
				s.Recording, s.Take = "", nil
				r.thank()
				return
			}
			r.recorded(Recorded{Path: s.Recording, Why: WhyFailed})
		}
	case stageReview:
		r.review(e)
	case stageListen:
		switch e := e.(type) {
		case Digit:
			r.reviewKey(e.Key)
		case Played:
			r.play(stageReview, "take_keys")
		}
	}
}

func (r *run) record() {
	t := r.s.Take
	t.Path, t.Length = "", 0
	r.s.Stage, r.s.Recording = stageRecording, r.path(t.Owner)
	r.do(Record{r.s.Recording, t.Max, t.Silence})
	r.wait(t.Max + answerWait) // the recorder ends by itself; this is for one that does not
}

func (r *run) recording(e Event) {
	switch e := e.(type) {
	case Recorded:
		r.recorded(e)
	case Digit:
		if e.Key == '#' {
			r.stopping()
		}
	case Expired:
		r.stopping()
	}
}

func (r *run) stopping() {
	r.s.Stage = stageStopping
	r.do(StopRecord{})
	r.wait(stopWait)
}

// recorded judges what was recorded.
func (r *run) recorded(e Recorded) {
	s, t := r.s, r.s.Take
	s.Recording, s.Until = "", time.Time{}
	if e.Why == WhyFailed && e.Length < t.Min {
		r.do(Discard{e.Path})
		if s.Gone {
			r.done()
			return
		}
		r.end("", "service_unavailable", "goodbye")
		return
	}
	if e.Length < t.Min {
		r.do(Discard{e.Path})
		switch t.Tries++; {
		case s.Gone:
			r.done()
		case t.Tries >= maxSilent:
			r.taken(false)
		default:
			r.play(stageIntro, t.Short)
		}
		return
	}
	t.Path, t.Length = e.Path, e.Length
	if t.Review && !s.Gone && e.Why != WhyLeft {
		r.heard()
		r.play(stageReview, "take_keys")
		return
	}
	r.taken(true)
}

func (r *run) review(e Event) {
	switch e := e.(type) {
	case Digit:
		r.reviewKey(e.Key)
	case Played:
		r.wait(keyWait)
	case Expired:
		if r.silent(2) {
			r.taken(r.s.Take.Keep)
			return
		}
		r.play(stageReview, "take_keys")
	}
}

func (r *run) reviewKey(key rune) {
	t := r.s.Take
	switch key {
	case '1':
		r.heard()
		r.play(stageListen, "recording:"+t.Path)
	case '2':
		r.heard()
		r.do(Discard{t.Path})
		t.Path = ""
		r.play(stageBeep, "tone_beep")
	case '#':
		r.taken(true)
	default:
		if r.wrong(maxWrong) {
			r.taken(t.Keep)
			return
		}
		r.play(stageReview, "menu_invalid", "take_keys")
	}
}

// taken ends the take: t.Path holds the piece when kept.
func (r *run) taken(kept bool) {
	t := r.s.Take
	if !kept && t.Path != "" {
		r.do(Discard{t.Path})
		t.Path = ""
	}
	r.s.Take = nil
	r.heard()
	switch r.s.Kind {
	case KindDeposit:
		r.deposited(t)
	case KindMailbox:
		r.greetingTaken(t)
	case KindPrompt:
		r.promptTaken(t)
	}
}

// resumeTake goes on after a restart. What had been recorded of a message is delivered as it is and
// the caller speaks on into a second one; of a greeting or an announcement half is worth nothing.
func (r *run) resumeTake() {
	s, t := r.s, r.s.Take
	if s.Recording != "" {
		if s.Kind == KindDeposit {
			r.deliver(s.Recording, 0)
		} else {
			r.do(Discard{s.Recording})
		}
		s.Recording = ""
	}
	switch {
	case s.Stage == stageStopping && s.Kind == KindDeposit:
		s.Take = nil
		r.thank()
	case s.Stage == stageReview, s.Stage == stageListen:
		r.play(stageReview, "take_keys")
	case s.Stage == stageIntro && len(t.Intro) > 0:
		r.play(stageIntro, t.Intro...)
	default:
		r.play(stageBeep, "tone_beep")
	}
}
