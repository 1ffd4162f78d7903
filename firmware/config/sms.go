package config

import "time"

// SMS is what lines may do with short messages. Applied at once, also to messages that wait.
type SMS struct {
	HourParts int           `yaml:"hour_parts"` // parts (of 153 characters) that one line sends within an hour; default 30, 0-10000, 0 = no limit
	DayParts  int           `yaml:"day_parts"`  // within 24 hours; default 200, 0-100000, 0 = no limit
	HourIn    int           `yaml:"hour_in"`    // parts that are taken from one line within an hour, the others wait on its SIM and with the network; default 600, 0-100000, 0 = no limit
	DayIn     int           `yaml:"day_in"`     // within 24 hours; default 5000, 0-1000000, 0 = no limit
	JoinFor   time.Duration `yaml:"join_for"`   // missing parts of a received message are waited for so long; default 72h, 1h-720h
	TryFor    time.Duration `yaml:"try_for"`    // a message is tried so long; default 24h, 1m-168h
}

func defaultSMS() SMS {
	return SMS{HourParts: 30, DayParts: 200, HourIn: 600, DayIn: 5000, JoinFor: 72 * time.Hour, TryFor: 24 * time.Hour}
}

// sms checks the limits of short messages.
func (v *validator) sms() {
	s := v.c.SMS
	if s.HourParts < 0 || s.HourParts > 10_000 {
		v.found.add("sms.hour_parts", "range", "%d is not between 0 (no limit) and 10000", s.HourParts)
	}
	if s.DayParts < 0 || s.DayParts > 100_000 {
		v.found.add("sms.day_parts", "range", "%d is not between 0 (no limit) and 100000", s.DayParts)
	}
	if s.HourIn < 0 || s.HourIn > 100_000 {
		v.found.add("sms.hour_in", "range", "%d is not between 0 (no limit) and 100000", s.HourIn)
	}
	if s.DayIn < 0 || s.DayIn > 1_000_000 {
		v.found.add("sms.day_in", "range", "%d is not between 0 (no limit) and 1000000", s.DayIn)
	}
	v.duration("sms.join_for", s.JoinFor, time.Hour, 720*time.Hour)
	v.duration("sms.try_for", s.TryFor, time.Minute, 168*time.Hour)
}
