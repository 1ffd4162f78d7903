package settingstest

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Conferences are a room where people talk and one where nobody is; name stands wherever somebody else than the owner
// can write.
func Conferences(name string, at time.Time) []page.Conference {
	return []page.Conference{
		{Title: "Sala " + name, Number: "88", Codes: true, Limit: 30, ConferenceChanged: tel.ConferenceChanged{
			Conference: "sala", Locked: true, Recording: "on", Recordable: true, Asked: true, Since: at.Add(-10 * time.Minute), Members: []tel.ConferenceMember{
				{Call: "c1", Party: "phone:201", Number: "201", Name: "Anna", Since: at.Add(-10 * time.Minute), Leader: true, Speaking: true},
				{Call: "c2", Party: "trunk:tim", Number: "+393331112222", Name: name, Since: at.Add(-5 * time.Minute), Muted: true},
				{Call: "c3", Party: "trunk:tim", Since: at.Add(-time.Minute), Held: true},
				{Call: "c4", Party: "phone:203", Number: "203", Since: at},
			},
		}},
		{Title: "Cantina", Limit: 5, ConferenceChanged: tel.ConferenceChanged{Conference: "cantina"}},
	}
}

// Rungs are the SIP messages of a call that failed; name stands wherever somebody else than the owner can write.
func Rungs(name string, at time.Time) []page.Rung {
	return []page.Rung{
		{At: at, Peer: "udp:192.0.2.20:5062", What: "INVITE", SDP: true, Text: "INVITE sip:202@box SIP/2.0\r\nFrom: " + name + "\r\n"},
		{At: at.Add(1234 * time.Millisecond), Out: true, Peer: "udp:192.0.2.20:5062", What: "486 " + name, Text: "SIP/2.0 486 " + name},
	}
}
