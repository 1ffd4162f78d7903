package personal

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func same(a, b dialplan.Personal) bool { return reflect.DeepEqual(a, b) }

// differences are the events that tell observers what is set otherwise now, in a stable order. Wrong
// PINs, speed dials and blocked callers show on no lamp and make none.
func differences(before, now dialplan.Personal, at time.Time) []tel.Event {
	var all []tel.Event
	for _, a := range keys(before.People, now.People) {
		if e := person(now, a, at); e != person(before, a, at) {
			all = append(all, e)
		}
	}
	for _, h := range keys(before.Hours, now.Hours) {
		if before.Hours[h] != now.Hours[h] {
			all = append(all, tel.HoursForced{Hours: h, State: string(now.Hours[h]), At: at})
		}
	}
	for _, d := range keys(before.Seats, now.Seats) {
		if before.Seats[d] != now.Seats[d] {
			all = append(all, tel.SeatChanged{Device: d, Agent: now.Seats[d], At: at})
		}
	}
	return all
}

func person(p dialplan.Personal, a tel.AgentID, at time.Time) tel.PersonalChanged {
	s := p.People[a]
	return tel.PersonalChanged{
		Agent: a, DND: s.DND, CallWaiting: !s.NoWaiting, At: at,
		Always: s.Forward.Always, Busy: s.Forward.Busy, NoAnswer: s.Forward.NoAnswer, Unreachable: s.Forward.Unreachable,
	}
}

// Events describes everything that is set, for observers who begin to watch.
func Events(now dialplan.Personal, at time.Time) []tel.Event {
	return differences(dialplan.Personal{}, now, at)
}

func keys[K cmp.Ordered, V any](a, b map[K]V) []K {
	all := maps.Clone(a)
	if all == nil {
		all = map[K]V{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
