package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Recording is which conversations are recorded, for what and for how long. With no rule none is. Applied to
// conversations that begin, and to each that is passed to somebody else; what runs goes on as it began.
type Recording struct {
	Rules    []RecordingRule `yaml:"rules,omitempty"`    // the first that fits a conversation counts
	Purposes []Purpose       `yaml:"purposes,omitempty"` // what recordings are kept for

	Notice bool   `yaml:"notice"`  // who is outside is told before it begins; default true
	OptOut string `yaml:"opt_out"` // the key by which who was told stops and deletes the recording: 0-9, * or #; default 9, "" is none
	OnHold bool   `yaml:"on_hold"` // also while one holds the other; default false
	Follow bool   `yaml:"follow"`  // a call that is passed to somebody without a rule goes on being recorded; default true

	DemandKeys string `yaml:"demand_keys"` // pressed in a conversation they begin and end a recording on demand; default *1, "" is none
	PauseKeys  string `yaml:"pause_keys"`  // and pause one while the number of a card is said; default *3, "" is none

	KeepFree int `yaml:"keep_free_mb"` // MB of the disk that recordings leave to everything else; default 512, 64-1000000; needs a restart
}

// RecordingRule says whether conversations are recorded. What it leaves out fits all.
type RecordingRule struct {
	ID        string        `yaml:"id"`
	Name      string        `yaml:"name,omitempty"`    // as people read it; default the id
	Record    string        `yaml:"record"`            // always, demand (an agent begins it) or never
	Purpose   string        `yaml:"purpose"`           // one of purposes; needed unless never
	Direction string        `yaml:"direction"`         // in, out or internal; default any
	Queues    []tel.QueueID `yaml:"queues,omitempty"`  // whose calls
	Agents    []tel.AgentID `yaml:"agents,omitempty"`  // who take part
	Through   []string      `yaml:"through,omitempty"` // trunk:ID or line:ID

	// Conferences are the rooms that the rule is about: of one that names rooms nothing else may be said, and it is about no
	// calls; one that names none is about no room. Demand is a leader's *2. Applied to conferences that begin.
	Conferences []tel.ConferenceID `yaml:"conferences,omitempty"`
}

// Purpose is what recordings are kept for, and for how long.
type Purpose struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"` // as people read it
	Days int    `yaml:"days"` // then they are deleted; 1-3650; applied to new recordings

	// Basis is on which ground of GDPR article 6(1) people are recorded: consent (a), contract (b), obligation (c) or
	// interest (f, the legitimate one). Default none: nobody has thought about it, and the page says so. Applied at once.
	Basis string `yaml:"basis,omitempty"`
	// Listen is who may hear these recordings: supervisors (of their queue, or of all queues, and the owner) or the owner
	// alone. Default supervisors. Applied at once, to those that there are, too.
	Listen string `yaml:"listen,omitempty"`
}

// What may be said of a purpose.
const (
	ListenSupervisors = "supervisors"
	ListenOwner       = "owner"
)

// Bases are the grounds on which people may be recorded.
func Bases() []string { return []string{"consent", "contract", "obligation", "interest"} }

// What a rule may say.
const (
	RecordAlways = "always"
	RecordDemand = "demand"
	RecordNever  = "never"
)

func defaultRecording() Recording {
	return Recording{Notice: true, OptOut: "9", Follow: true, DemandKeys: "*1", PauseKeys: "*3", KeepFree: 512}
}

// IsZero has the file say nothing of it by default: see Encode.
func (r Recording) IsZero() bool { return reflect.DeepEqual(r, defaultRecording()) }

// Fits reports whether a rule is about a conversation. Who names no queue, agent or trunk fits every one.
func (r *RecordingRule) Fits(direction tel.Direction, queue tel.QueueID, agents []tel.AgentID, through []string) bool {
	return len(r.Conferences) == 0 && (r.Direction == "" || r.Direction == string(direction)) &&
		(len(r.Queues) == 0 || slices.Contains(r.Queues, queue)) &&
		(len(r.Agents) == 0 || slices.ContainsFunc(agents, func(a tel.AgentID) bool { return slices.Contains(r.Agents, a) })) &&
		(len(r.Through) == 0 || slices.ContainsFunc(through, func(v string) bool { return slices.Contains(r.Through, v) }))
}

// Rule is the first that fits a conversation; nil when none does.
func (c *Recording) Rule(direction tel.Direction, queue tel.QueueID, agents []tel.AgentID, through []string) *RecordingRule {
	for i := range c.Rules {
		if r := &c.Rules[i]; r.Fits(direction, queue, agents, through) {
			return r
		}
	}
	return nil
}

// RoomRule is the first that names a conference room; nil when none does.
func (c *Recording) RoomRule(id tel.ConferenceID) *RecordingRule {
	for i := range c.Rules {
		if r := &c.Rules[i]; slices.Contains(r.Conferences, id) {
			return r
		}
	}
	return nil
}

// Before is the rule for callers from outside to a queue, as far as it is known before somebody answers: sure is
// false when it hangs on who does, or on the way in.
func (c *Recording) Before(direction tel.Direction, queue tel.QueueID) (r *RecordingRule, sure bool) {
	for i := range c.Rules {
		r := c.Rules[i]
		hangs := len(r.Agents) > 0 || len(r.Through) > 0
		r.Agents, r.Through = nil, nil
		switch fits := r.Fits(direction, queue, nil, nil); {
		case fits && hangs:
			return nil, false
		case fits:
			return &c.Rules[i], true
		}
	}
	return nil, true
}

// PurposeOf finds a purpose; nil when there is none of that id.
func (c *Recording) PurposeOf(id string) *Purpose {
	for i := range c.Purposes {
		if c.Purposes[i].ID == id {
			return &c.Purposes[i]
		}
	}
	return nil
}

func (v *validator) recording() {
	c := &v.c.Recording
	for i := range c.Purposes {
		path, p := fmt.Sprintf("recording.purposes[%d]", i), &c.Purposes[i]
		v.id(path, "purpose", p.ID)
		if p.Days < 1 || p.Days > 3650 {
			v.found.add(path+".days", "range", "%d days; a recording is kept for 1 to 3650", p.Days)
		}
		if p.Basis != "" && !slices.Contains(Bases(), p.Basis) {
			v.found.add(path+".basis", "choice", "%q is not one of %s", p.Basis, strings.Join(Bases(), ", "))
		}
		if !slices.Contains([]string{"", ListenSupervisors, ListenOwner}, p.Listen) {
			v.found.add(path+".listen", "choice", "%q is not one of supervisors, owner", p.Listen)
		}
	}
	for i := range c.Rules {
		v.recordingRule(fmt.Sprintf("recording.rules[%d]", i), &c.Rules[i])
	}
	if c.KeepFree < 64 || c.KeepFree > 1000000 {
		v.found.add("recording.keep_free_mb", "range", "%d MB; use 64 to 1000000", c.KeepFree)
	}
	v.recordingKeys()
}

func (v *validator) recordingRule(path string, r *RecordingRule) {
	v.id(path, "recording", r.ID)
	if !slices.Contains([]string{RecordAlways, RecordDemand, RecordNever}, r.Record) {
		v.found.add(path+".record", "choice", "%q is not one of always, demand, never", r.Record)
	}
	if r.Record != RecordNever && v.c.Recording.PurposeOf(r.Purpose) == nil {
		v.found.add(path+".purpose", "unknown", "there is no purpose %q; say under purposes what it is kept for, and for how many days", r.Purpose)
	}
	if !slices.Contains([]string{"", string(tel.Inbound), string(tel.Outbound), string(tel.Internal)}, r.Direction) {
		v.found.add(path+".direction", "choice", "%q is not one of in, out, internal", r.Direction)
	}
	if len(r.Conferences) > 0 && len(r.Queues)+len(r.Agents)+len(r.Through)+len(r.Direction) > 0 {
		v.found.add(path+".conferences", "conflict", "a rule is about conference rooms or about calls, not about both; make a second one")
	}
	for k, x := range r.Conferences {
		v.known(fmt.Sprintf("%s.conferences[%d]", path, k), "conference", string(x))
	}
	if len(r.Conferences) > 0 && r.Record != RecordNever && v.c.Recording.Notice && v.c.Recording.OptOut == "*" {
		v.found.add("recording.opt_out", "key", "* begins the commands of conference rooms, of which %q records some; choose another key", r.ID)
	}
	for k, q := range r.Queues {
		v.known(fmt.Sprintf("%s.queues[%d]", path, k), "queue", string(q))
	}
	for k, a := range r.Agents {
		v.known(fmt.Sprintf("%s.agents[%d]", path, k), "agent", string(a))
	}
	for k, t := range r.Through {
		kind, id, _ := strings.Cut(t, ":")
		if kind != "trunk" && kind != "line" {
			id = ""
		}
		v.known(fmt.Sprintf("%s.through[%d]", path, k), kind, id)
	}
}

// known checks that something exists.
func (v *validator) known(path, kind, id string) {
	if !v.ids[kind+"/"+id] {
		v.found.add(path, "unknown", "there is no %s %q", kind, id)
	}
}

// recordingKeys checks the keys of a conversation: none may be taken for another one.
func (v *validator) recordingKeys() {
	c := &v.c.Recording
	if c.OptOut != "" && (len(c.OptOut) != 1 || !isKeys(c.OptOut)) {
		v.found.add("recording.opt_out", "key", "%q is not one key; use 0-9, * or #", c.OptOut)
	}
	for path, keys := range map[string]string{"recording.demand_keys": c.DemandKeys, "recording.pause_keys": c.PauseKeys} {
		if keys != "" && (len(keys) < 2 || len(keys) > 4 || !isKeys(keys) || !strings.ContainsAny(keys[:1], "*#")) {
			v.found.add(path, "key", "%q is not two to four keys that begin with * or #", keys)
		}
	}
	if c.DemandKeys != "" && c.PauseKeys != "" && (strings.HasSuffix(c.DemandKeys, c.PauseKeys) || strings.HasSuffix(c.PauseKeys, c.DemandKeys)) {
		v.found.add("recording.pause_keys", "duplicate", "%q and demand_keys %q cannot be told apart", c.PauseKeys, c.DemandKeys)
	}
	if !c.Notice || c.OptOut == "" {
		return
	}
	for i := range v.c.Queues {
		q := &v.c.Queues[i]
		if !c.mayRecord(q.ID) {
			continue
		}
		if _, taken := q.Waiting.Exit[c.OptOut]; taken || q.Waiting.Callback.Key == c.OptOut {
			v.found.add(fmt.Sprintf("queues[%d].waiting", i), "duplicate", "key %s opts out of the recording (recording.opt_out) and cannot mean something else too", c.OptOut)
		}
	}
}

// mayRecord reports whether there is a rule by which a queue's calls can be recorded.
func (c *Recording) mayRecord(queue tel.QueueID) bool {
	return slices.ContainsFunc(c.Rules, func(r RecordingRule) bool {
		r.Agents, r.Through = nil, nil
		return r.Record != RecordNever && r.Fits(tel.Inbound, queue, nil, nil)
	})
}

func isKeys(s string) bool { return strings.Trim(s, "0123456789*#") == "" }
