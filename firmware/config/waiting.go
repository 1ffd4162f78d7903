package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Waiting is the life of a queue's waiting callers. A change reaches those who wait already, but for
// the greeting and keep_place, which a call keeps from its beginning on.
type Waiting struct {
	Greeting []string `yaml:"greeting,omitempty"` // sentences of the box, or prompt:ID; default [greeting, wait], [none] = music at once
	FullTo   string   `yaml:"full_to,omitempty"`  // destination when max_length callers wait; default overflow

	RefuseEmpty bool          `yaml:"refuse_empty"`       // turn callers away when no agent could take a call; default false
	LeaveEmpty  bool          `yaml:"leave_empty"`        // send waiting callers on then; default false
	Grace       time.Duration `yaml:"grace"`              // only after this long without an agent; default 30s, 0-1h
	EmptyTo     string        `yaml:"empty_to,omitempty"` // destination of both; default overflow

	Exit map[string]string `yaml:"exit,omitempty"` // 0-9, *, # -> destination for who would rather not wait

	Return    time.Duration `yaml:"return"`     // who gave up and calls again within it has the old place; default 2m, 1s-1h
	KeepPlace string        `yaml:"keep_place"` // of callers who are transferred here: always (default), or waiting = only who was not served yet
	Short     time.Duration `yaml:"short"`      // who gives up sooner is no missed caller; default 5s, 0-1m

	Whisper     string `yaml:"whisper,omitempty"` // tells the agent the queue before the bridge: prompt:ID, a sentence of the box, or number, 30s at most; default none
	WhisperWait bool   `yaml:"whisper_wait"`      // and how long the caller has waited; default false

	Announce Announce `yaml:"announce,omitempty"`
	Callback Callback `yaml:"callback,omitempty"`
}

// MissedCallers is the work list of callers who were not served.
type MissedCallers struct {
	Keep time.Duration `yaml:"keep"` // a row stays so long after its last call; default 720h (30 days), 24h-8760h; applied within the hour
}

// Announce is what waiting callers are told over the music. Nothing is said while an agent's phone
// rings, and at least 15s lie between the starts of two announcements.
type Announce struct {
	Position bool          `yaml:"position"`  // how many wait before the caller; default false
	Wait     bool          `yaml:"wait"`      // the expected wait, as an interval; default false
	After    time.Duration `yaml:"after"`     // first time after the arrival; default 0, 0-10m
	Every    time.Duration `yaml:"every"`     // again while the position stays; sooner when it changes; default 0 = only then, 15s-1h
	Limit    int           `yaml:"limit"`     // not said behind this position; default 0 = always, 0-999
	MoreThan bool          `yaml:"more_than"` // behind limit: "more than limit"; default false
	OnlyUp   bool          `yaml:"only_up"`   // only a better position than the last; default false
	Head     bool          `yaml:"head"`      // also to who is next; default false

	Messages     []string      `yaml:"messages,omitempty"` // one at a time: prompt:ID or sentences of the box
	MessageEvery time.Duration `yaml:"message_every"`      // from the end of one to the next; default 1m, 15s-1h
	Random       bool          `yaml:"random"`             // in random order; default false
}

// Callback lets waiting callers hang up and keep the place. With no key it is not offered.
type Callback struct {
	Key      string        `yaml:"key"`      // asks for it; 0-9, *, #; default none
	After    time.Duration `yaml:"after"`    // when the key is announced, from the arrival; default 1m, 10s-1h
	Attempts int           `yaml:"attempts"` // to reach the customer; default 3, 1-10
	Gap      time.Duration `yaml:"gap"`      // between two; default 5m, 30s-24h
	Promise  time.Duration `yaml:"promise"`  // within which we say to call; default 0 = nothing is promised, 0-72h
	Expire   time.Duration `yaml:"expire"`   // given up when nobody had time for so long; default 24h, 10m-168h
	Hours    string        `yaml:"hours"`    // opening hours in which customers are called; default always
	Dial     []string      `yaml:"dial"`     // classes of numbers that are called at our cost; default [local, mobile]
}

// KeepPlace says whom a queue gives the first place in line.
const (
	KeepAlways  = "always"
	KeepWaiting = "waiting"
)

// Greeted lists what callers hear first: nil is the usual greeting, an empty list none.
func (w *Waiting) Greeted() []string {
	if len(w.Greeting) == 1 && w.Greeting[0] == "none" {
		return []string{}
	}
	return w.Greeting
}

// Words lists everything that a queue says: sentences of the box and announcements of its owner.
func (w *Waiting) Words() []string {
	all := slices.Concat(w.Greeted(), w.Announce.Messages)
	if w.Whisper != "" && w.Whisper != "number" {
		all = append(all, w.Whisper)
	}
	return all
}

// normaliseWaiting fills the defaults.
func (q *Queue) normaliseWaiting() {
	w := &q.Waiting
	setDefault(&w.Grace, 30*time.Second)
	setDefault(&w.Return, 2*time.Minute)
	setDefault(&w.Short, 5*time.Second)
	if w.KeepPlace == "" {
		w.KeepPlace = KeepAlways
	}
	if len(w.Announce.Messages) > 0 {
		setDefault(&w.Announce.MessageEvery, time.Minute)
	}
	c := &w.Callback
	if c.Key == "" {
		return
	}
	setDefault(&c.After, time.Minute)
	setDefault(&c.Gap, 5*time.Minute)
	setDefault(&c.Expire, 24*time.Hour)
	if c.Attempts == 0 {
		c.Attempts = 3
	}
	if c.Dial == nil {
		c.Dial = []string{string(dialplan.Local), string(dialplan.Mobile)}
	}
}

func setDefault(d *time.Duration, to time.Duration) {
	if *d == 0 {
		*d = to
	}
}

// Calls reports whether customers of this class of number are called back.
func (c Callback) Calls(class dialplan.Class) bool { return slices.Contains(c.Dial, string(class)) }

func (v *validator) missedCallers() {
	v.duration("missed_callers.keep", v.c.MissedCallers.Keep, 24*time.Hour, 8760*time.Hour)
}

func (v *validator) waiting(path string, q *Queue) {
	w := &q.Waiting
	path += ".waiting"
	v.sentences(path+".greeting", w.Greeted())
	v.place(path+".full_to", w.FullTo)
	v.place(path+".empty_to", w.EmptyTo)
	v.duration(path+".grace", w.Grace, 0, time.Hour)
	v.duration(path+".return", w.Return, time.Second, time.Hour)
	v.duration(path+".short", w.Short, 0, time.Minute)
	if w.KeepPlace != KeepAlways && w.KeepPlace != KeepWaiting {
		v.found.add(path+".keep_place", "choice", "%q is not one of always, waiting", w.KeepPlace)
	}
	for key, to := range w.Exit {
		at := fmt.Sprintf("%s.exit[%s]", path, key)
		v.key(at, key)
		v.destination(at, to)
		if to == "queue:"+string(q.ID) {
			v.found.add(at, "loop", "the key would lead back into the queue")
		}
	}
	if w.Whisper != "" && w.Whisper != "number" {
		v.sentences(path+".whisper", []string{w.Whisper})
	}
	v.announce(path+".announce", &w.Announce)
	if w.Callback.Key != "" {
		v.callback(path+".callback", w)
	}
}

func (v *validator) announce(path string, a *Announce) {
	v.duration(path+".after", a.After, 0, 10*time.Minute)
	if a.Every != 0 {
		v.duration(path+".every", a.Every, 15*time.Second, time.Hour)
	}
	v.between(path+".limit", a.Limit, 0, 999)
	if a.MoreThan && a.Limit == 0 {
		v.found.add(path+".more_than", "missing", "needs a limit")
	}
	v.sentences(path+".messages", a.Messages)
	if len(a.Messages) > 0 {
		v.duration(path+".message_every", a.MessageEvery, 15*time.Second, time.Hour)
	}
}

func (v *validator) callback(path string, w *Waiting) {
	c := &w.Callback
	v.key(path+".key", c.Key)
	if _, taken := w.Exit[c.Key]; taken {
		v.found.add(path+".key", "duplicate", "key %s already leaves the queue", c.Key)
	}
	v.duration(path+".after", c.After, 10*time.Second, time.Hour)
	v.between(path+".attempts", c.Attempts, 1, 10)
	v.duration(path+".gap", c.Gap, 30*time.Second, 24*time.Hour)
	v.duration(path+".promise", c.Promise, 0, 72*time.Hour)
	v.duration(path+".expire", c.Expire, 10*time.Minute, 168*time.Hour)
	if c.Hours != "" {
		v.destination(path+".hours", "hours:"+c.Hours)
	}
	for i, d := range c.Dial {
		if !slices.Contains([]string{"local", "mobile", "international"}, d) {
			v.found.add(fmt.Sprintf("%s.dial[%d]", path, i), "choice", "%q is not one of local, mobile, international: nobody can make the box call premium numbers", d)
		}
	}
	if len(c.Dial) == 0 {
		v.found.add(path+".dial", "missing", "needs a class of numbers, such as mobile")
	}
}

// key checks one key of a telephone.
func (v *validator) key(path, key string) {
	if len(key) != 1 || !strings.Contains("0123456789*#", key) {
		v.found.add(path, "key", "%q is not one of 0-9, * and #", key)
	}
}

// onward lists where a queue sends callers on by itself, with the field that says so.
func (q *Queue) onward() map[string]string {
	return map[string]string{"overflow": q.Overflow, "waiting.full_to": q.Waiting.FullTo, "waiting.empty_to": q.Waiting.EmptyTo}
}

// overflowLoops finds chains of overflow that come back to where they began, also through opening hours
// and menus whose callers press nothing: a caller would be moved around for ever.
func (v *validator) overflowLoops() {
	next := map[string][]string{}
	for _, q := range v.c.Queues {
		for _, to := range q.onward() {
			next["queue:"+string(q.ID)] = append(next["queue:"+string(q.ID)], to)
		}
	}
	for _, m := range v.c.Menus {
		next["menu:"+m.ID] = []string{m.TimeoutTo, m.InvalidTo}
	}
	for _, h := range v.c.Hours {
		next["hours:"+h.ID] = []string{h.Then, h.Closed, h.Holiday}
	}
	for i, q := range v.c.Queues {
		for field, to := range q.onward() {
			if reaches(next, to, "queue:"+string(q.ID), map[string]bool{}) {
				v.found.add(fmt.Sprintf("queues[%d].%s", i, field), "loop", "the overflow chain comes back to %q", q.ID)
			}
		}
	}
}

// FullDestination and EmptyDestination are where callers go whom a queue does not take.
func (q *Queue) FullDestination() string  { return orOverflow(q, q.Waiting.FullTo) }
func (q *Queue) EmptyDestination() string { return orOverflow(q, q.Waiting.EmptyTo) }

func orOverflow(q *Queue, to string) string {
	if to == "" {
		return q.Overflow
	}
	return to
}

// QueueOf finds a queue.
func (c *Config) QueueOf(id tel.QueueID) (Queue, bool) {
	i := slices.IndexFunc(c.Queues, func(q Queue) bool { return q.ID == id })
	if i < 0 {
		return Queue{}, false
	}
	return c.Queues[i], true
}
