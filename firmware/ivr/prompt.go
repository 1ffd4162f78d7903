package ivr

import "time"

// Prompt records an announcement of the box from any phone.
type Prompt struct {
	Of      string            `json:"of,omitempty"`      // what the code opens; empty: no code is asked
	Prompt  string            `json:"prompt,omitempty"`  // which announcement; empty: its number is asked
	Numbers map[string]string `json:"numbers,omitempty"` // number to type -> announcement
	Max     time.Duration     `json:"max,omitempty"`     // longest; 0 is 3 min
}

const (
	stagePromptNumber stage = "prompt_number"

	longestPromptNumber = 5
)

func (r *run) recordPrompt(e Event) {
	s, p := r.s, r.s.Prompt
	_, start := e.(Started)
	if s.Stage == stagePIN || s.Stage == stagePINCheck || (start && p.Of != "") {
		r.askPIN(e, p.Of, nil, "", func() {
			p.Of = "" // opened, also after a restart
			r.promptNumber()
		})
		return
	}
	switch e := e.(type) {
	case Started, Resumed:
		r.promptNumber()
	case Played:
		r.wait(keyWait)
	case Digit:
		s.Silent = 0
		number, complete := r.typing(e.Key, longestPromptNumber)
		if !complete {
			return
		}
		if id, ok := p.Numbers[number]; ok {
			p.Prompt = id
			r.promptNumber()
			return
		}
		if r.wrong(maxWrong) {
			r.end("", "prompt_unknown", "goodbye")
			return
		}
		r.play(stagePromptNumber, "prompt_unknown", "prompt_enter")
	case Expired:
		s.typed = ""
		if r.silent(maxSilent) {
			r.end("", "goodbye")
			return
		}
		r.play(stagePromptNumber, "prompt_enter")
	}
}

func (r *run) promptNumber() {
	p := r.s.Prompt
	if p.Prompt == "" {
		r.play(stagePromptNumber, "prompt_enter")
		return
	}
	r.startTake(take{
		Owner: "prompt", Intro: []string{"take_intro"}, Short: "take_short", Review: true,
		Max: or(p.Max, 3*time.Minute), Silence: 10 * time.Second, Min: time.Second,
	})
}

func (r *run) promptTaken(t *take) {
	if t.Path == "" {
		r.end("", "take_dropped", "goodbye")
		return
	}
	r.do(SavePrompt{r.s.Prompt.Prompt, t.Path})
	r.end("", "prompt_kept", "goodbye")
}
