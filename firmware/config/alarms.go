package config

import "time"

// Alarms is when a queue calls for its supervisor: a notice on the page and a line in the log. Every
// threshold is off until it is set. Applied at once, also to those who wait already.
type Alarms struct {
	Waiting int           `yaml:"waiting"` // more callers than this wait; default 0 = no alarm, 0-9999
	Longest time.Duration `yaml:"longest"` // somebody has waited as long; default 0 = no alarm, 0-24h
	Ready   int           `yaml:"ready"`   // fewer agents than this are ready; default 0 = no alarm, 0 to the number of the queue's agents
	For     time.Duration `yaml:"for"`     // raised only when it has been so for this long; default 0 = at once, 0-1h
	Clear   time.Duration `yaml:"clear"`   // cleared only when it has not been so for this long; default 0 = at once, 0-1h
	Hours   string        `yaml:"hours"`   // opening hours outside of which nothing is raised, nor told that nobody is there; default always
}

func (v *validator) alarms(path string, q *Queue) {
	a := &q.Alarms
	path += ".alarms"
	v.between(path+".waiting", a.Waiting, 0, 9999)
	v.duration(path+".longest", a.Longest, 0, 24*time.Hour)
	v.between(path+".ready", a.Ready, 0, len(q.Agents))
	v.duration(path+".for", a.For, 0, time.Hour)
	v.duration(path+".clear", a.Clear, 0, time.Hour)
	if a.Hours != "" {
		v.destination(path+".hours", "hours:"+a.Hours)
	}
	if q.MaxLength > 0 && a.Waiting >= q.MaxLength {
		v.found.add(path+".waiting", "range", "is never passed: max_length lets %d wait", q.MaxLength)
	}
}
