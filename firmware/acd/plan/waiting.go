package plan

import (
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// WaitingSpec is what the configuration says about the life of a waiting caller.
type WaitingSpec struct {
	// RefuseEmpty turns callers away when for the queue's EmptyGrace no agent could take a call.
	RefuseEmpty bool `json:"refuse_empty,omitempty"`
	// ExitKeys leave the queue: key -> destination of the dial plan.
	ExitKeys map[string]string `json:"exit_keys,omitempty"`
	// Return is how long a caller who gave up may call again and have the old place; 0 = never.
	Return time.Duration `json:"return,omitempty"`
	// Short is how soon a caller has given up who hardly waited; the record says so.
	Short time.Duration `json:"short,omitempty"`

	Whisper     string `json:"whisper,omitempty"`      // prompt that tells the agent the queue; empty = none
	WhisperWait bool   `json:"whisper_wait,omitempty"` // and how long the caller has waited

	Announce AnnounceSpec `json:"announce,omitzero"`
	Callback CallbackSpec `json:"callback,omitzero"`
}

// AnnounceSpec is what waiting callers are told, and when.
type AnnounceSpec struct {
	Position bool          `json:"position,omitempty"`  // the caller's place
	Wait     bool          `json:"wait,omitempty"`      // the estimated wait, when somebody can estimate it
	After    time.Duration `json:"after,omitempty"`     // from the arrival to the first
	Every    time.Duration `json:"every,omitempty"`     // while the position stays; sooner when it changes; 0 = only when it changes
	Limit    int           `json:"limit,omitempty"`     // the last position that is told; 0 = every
	MoreThan bool          `json:"more_than,omitempty"` // behind Limit, say that more than Limit are ahead
	OnlyUp   bool          `json:"only_up,omitempty"`   // only a better position than the one told last
	Head     bool          `json:"head,omitempty"`      // also who is next

	Messages     []string      `json:"messages,omitempty"` // prompts, one at a time
	MessageEvery time.Duration `json:"message_every,omitempty"`
	Random       bool          `json:"random,omitempty"` // the messages in random order, otherwise in theirs
}

// CallbackSpec is how callers may ask to be called back.
type CallbackSpec struct {
	Enabled  bool          `json:"enabled,omitempty"`
	Key      string        `json:"key,omitempty"`      // asks for it; 0-9, * or #
	After    time.Duration `json:"after,omitempty"`    // when it is offered by voice, from the arrival on; 0 = the key is not announced
	Attempts int           `json:"attempts,omitempty"` // to reach the customer
	Gap      time.Duration `json:"gap,omitempty"`      // between two attempts
	Promise  time.Duration `json:"promise,omitempty"`  // within which it is promised; 0 = nothing is promised
	Expire   time.Duration `json:"expire,omitempty"`   // after which it is given up
}

const (
	announceGap  = 15 * time.Second // between the starts of two announcements to one caller
	announceFor  = time.Minute      // the longest an announcement is waited for
	whisperFor   = 30 * time.Second // the longest a whisper may keep a caller from an agent who has picked up
	customerFor  = 4 * time.Minute  // the longest an agent waits for the customer of a callback
	maxCallbacks = 1000             // open requests of all queues
	exitKeys     = "0123456789*#"
)

// defaults fills what was left at zero: key 1, three attempts five minutes apart, a day to live.
func (c CallbackSpec) defaults() CallbackSpec {
	if !c.Enabled {
		return c
	}
	if c.Key == "" {
		c.Key = "1"
	}
	if c.Attempts == 0 {
		c.Attempts = 3
	}
	if c.Gap == 0 {
		c.Gap = 5 * time.Minute
	}
	if c.Expire == 0 {
		c.Expire = 24 * time.Hour
	}
	return c
}

// validateWaiting tells every fault to bad.
func (q *QueueSpec) validateWaiting(at string, bad func(format string, args ...any)) {
	w := &q.Waiting
	for key := range w.ExitKeys {
		if len(key) != 1 || !strings.Contains(exitKeys, key) {
			bad("%s: exit key %q is not one of 0-9, * and #", at, key)
		}
	}
	a, c := &w.Announce, &w.Callback
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"return", w.Return},
		{"announce.after", a.After},
		{"announce.every", a.Every},
		{"announce.message_every", a.MessageEvery},
		{"callback.after", c.After},
		{"callback.gap", c.Gap},
		{"callback.promise", c.Promise},
		{"callback.expire", c.Expire},
	} {
		if d.value < 0 {
			bad("%s: %s is negative", at, d.name)
		}
	}
	if a.Every > 0 && a.Every < announceGap {
		bad("%s: announce.every %v is less than %v", at, a.Every, announceGap)
	}
	if len(a.Messages) > 0 && a.MessageEvery < announceGap {
		bad("%s: announce.message_every %v is less than %v", at, a.MessageEvery, announceGap)
	}
	if a.Limit < 0 || a.MoreThan && a.Limit == 0 {
		bad("%s: announce.limit %d: more_than needs one above 0", at, a.Limit)
	}
	if c.Enabled {
		q.validateCallback(at, bad)
	}
}

func (q *QueueSpec) validateCallback(at string, bad func(format string, args ...any)) {
	c := &q.Waiting.Callback
	if len(c.Key) != 1 || !strings.Contains(exitKeys, c.Key) {
		bad("%s: callback key %q is not one of 0-9, * and #", at, c.Key)
	} else if _, taken := q.Waiting.ExitKeys[c.Key]; taken {
		bad("%s: key %s leaves the queue and asks for a callback", at, c.Key)
	}
	if c.Attempts < 1 || c.Attempts > 20 {
		bad("%s: %d attempts are not within 1 and 20", at, c.Attempts)
	}
	if c.Gap < time.Second || c.Expire < time.Minute {
		bad("%s: callback gap %v or expire %v is too short", at, c.Gap, c.Expire)
	}
}

// caller is the entry of somebody who waits on the line.
func (s *State) caller(call tel.CallID) *Entry {
	if e := s.Entries[call]; e != nil && e.Callback == "" {
		return e
	}
	return nil
}

// callerKey does what the queue's configuration says about a key.
func (s *step) callerKey(m tel.CallerKey) {
	e := s.caller(m.Call)
	if e == nil || s.Queues[e.Queue] == nil {
		return
	}
	w, key := &s.Queues[e.Queue].Spec.Waiting, string(m.Key)
	if to, ok := w.ExitKeys[key]; ok {
		s.overflow(e, tel.OutcomeExitKey, to, whyKey)
		return
	}
	if w.Callback.Enabled && key == w.Callback.Key {
		s.send(tel.AskCallback{Call: e.Call})
	}
}

func (s *step) callerGreeted(m tel.CallerGreeted) {
	if e := s.caller(m.Call); e != nil && !e.Greeted {
		e.Greeted = true
		s.touchEntry(e)
		s.armAnnounce(e)
	}
}

// callerNamed puts a customer into the place that an agent had taken for them.
func (s *step) callerNamed(m tel.CallerNamed) {
	e := s.caller(m.Call)
	if e == nil {
		return
	}
	e.Caller, e.Name = m.Caller, m.Name
	s.touchEntry(e)
	s.publish(e.joined())
}

// whisper is what the agent of an offer is told.
func (q *Queue) whisper(e *Entry) tel.Whisper {
	w := tel.Whisper{Prompt: q.Spec.Waiting.Whisper}
	if q.Spec.Waiting.WhisperWait {
		w.Since = e.EnqueuedAt
	}
	return w
}

// lose remembers the place of a caller who gave up, for when the number calls again.
func (s *step) lose(e *Entry) {
	q := s.Queues[e.Queue]
	if q == nil || q.Spec.Waiting.Return <= 0 || e.Callback != "" {
		return
	}
	if m := s.remember(e.Caller, s.now.Add(q.Spec.Waiting.Return)); m != nil {
		m.Lost = &Place{Queue: e.Queue, EnqueuedAt: e.EnqueuedAt, Priority: e.Priority, LeftAt: s.now}
	}
}

// reclaim gives a caller who was here a moment ago the old place: the one given up, or that of a
// callback which is not needed any more.
func (s *step) reclaim(e *Entry) {
	if m := s.Memories[e.Caller]; m != nil && m.Lost != nil && e.Caller != "" && m.Lost.Queue == e.Queue {
		if q := s.Queues[e.Queue]; q != nil && !s.now.After(m.Lost.LeftAt.Add(q.Spec.Waiting.Return)) {
			e.takePlace(m.Lost.EnqueuedAt, m.Lost.Priority)
		}
		m.Lost = nil
		s.touchMemory(m)
	}
	if c := s.callbackOf(e.Queue, e.Caller); c != nil && e.Callback == "" {
		e.takePlace(c.EnqueuedAt, c.Priority)
		s.endCallback(c, tel.CallbackReturned, "", "")
	}
}

func (e *Entry) takePlace(at time.Time, priority int) {
	if at.Before(e.EnqueuedAt) {
		e.EnqueuedAt = at
	}
	e.Priority = max(e.Priority, priority)
}

// served forgets what the caller had given up.
func (s *step) served(caller tel.Number) {
	if m := s.Memories[caller]; m != nil && m.Lost != nil {
		m.Lost = nil
		s.touchMemory(m)
	}
}

// stage is what the caller of an entry gives up.
func (s *step) abandonStage(e *Entry) tel.AbandonStage {
	stage := tel.AbandonWaiting
	if !e.Greeted {
		stage = tel.AbandonGreeting
	}
	for _, id := range e.Offers {
		switch s.Offers[id].Phase {
		case Accepted:
			return tel.AbandonWhisper
		case Ringing:
			stage = tel.AbandonRinging
		case Reserved, Talking, Void:
		}
	}
	return stage
}

// serial makes an identifier that no other of its kind has; the seed keeps one of an earlier life
// from matching by chance.
func (s *step) serial(prefix string) string {
	s.Seq++
	s.touch("meta", "seq")
	return prefix + strconv.FormatUint(s.Seq, 10) + "-" + strconv.FormatUint(s.seed&0xffffffff, 36)
}
