package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/conference/chair"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// office is an exchange with phones 201 to 209, queue 400, the park code *70 with the places 701 and
// 702, pickup *8 and one line to the outside, for what happens between calls.
type office struct {
	t       *testing.T
	x       *Exchange
	journal *hot

	mu      sync.Mutex
	rung    map[tel.DeviceID]*fakeLeg // the last leg made for a phone
	lineUse *fakeLeg                  // on the only line
	queue   []tel.ToQueue
	said    []tel.Standing // by the calls that were restored last
	records []tel.CallEnded
	parties map[tel.LegID]tel.PartyChanged
	events  []tel.Event

	all       []*fakeLeg    // every leg that was made
	recorder  Recorder      // of the exchange that is made next
	supervise SuperviseFunc // of the exchange that is made next
	hall      *hall         // the conference rooms; nil: there are none
	rooms     chair.Recorder

	hallJournal *hot // of the conference rooms
	whenQuiet   func(devs []tel.DeviceID, fn func())
	told        []string // to who clicked: "call status", and "final"
	attempt     Attempt  // the last one to go out
	dialling    func()   // runs as a phone's INVITE leaves; nil: nothing
}

// Route implements Plan.
func (o *office) Route(from string, _, n tel.Number, _ time.Time) Decision {
	slots := []tel.Number{"701", "702"}
	switch {
	case n == "800" || n == "801":
		s := ivr.New("", "it", &ivr.Conference{Room: "hall", Ask: n == "801"})
		return Decision{Kind: ToScript, Script: &s}
	case n == "400":
		return Decision{Kind: ToQueue, Queue: "sales"}
	case n == "*70":
		return Decision{Kind: ToPark, Slots: slots, ParkFor: time.Minute}
	case slices.Contains(slots, n):
		return Decision{Kind: ToSlot, Slots: []tel.Number{n}}
	case strings.HasPrefix(string(n), "*8"):
		return Decision{Kind: ToPickup, Pickup: []tel.DeviceID{tel.DeviceID(n[2:])}}
	case strings.HasPrefix(string(n), "*5") && len(n) > 3:
		return Decision{Kind: ToWatch, Watch: Watch{Agent: tel.AgentID("agent" + n[3:]), Mode: tel.SupervisionModes()[n[2]-'1']}}
	case n == "*37" || n == "#37":
		return Decision{Kind: ToWish, Cancel: n == "#37"}
	case n == "112":
		return Decision{Kind: ToOutside, Emergency: true, Attempts: []Attempt{{Via: "line:gsm0", Number: n}}}
	case strings.HasPrefix(string(n), "3"):
		return Decision{Kind: ToOutside, Attempts: []Attempt{{Via: "line:gsm0", Number: n}}}
	case strings.HasPrefix(string(n), "20"):
		return Decision{Kind: ToDevices, Devices: []tel.DeviceID{tel.DeviceID(n)}}
	default:
		return Decision{Kind: Refuse, Cause: tel.CauseUnallocated}
	}
}

// Resolve implements Plan.
func (o *office) Resolve(to, as string, at time.Time) Decision {
	_, n, _ := strings.Cut(to, ":")
	return o.Route(as, "", tel.Number(n), at)
}

// Devices implements Plan.
func (o *office) Devices(a tel.AgentID) []tel.DeviceID {
	return []tel.DeviceID{tel.DeviceID(strings.TrimPrefix(string(a), "agent"))}
}

// AgentAt implements Plan.
func (o *office) AgentAt(d tel.DeviceID) (tel.AgentID, tel.Number, string) {
	return tel.AgentID("agent" + d), tel.Number(d), "Name " + string(d)
}

// NameOf implements Plan.
func (o *office) NameOf(n tel.Number) string {
	if n == "+39061234567" {
		return "Rossi"
	}
	return ""
}

// DoorAt implements Plan: 209 is the door.
func (o *office) DoorAt(d tel.DeviceID) (rune, bool) { return '5', d == "209" }

// Phones implements Plan.
func (o *office) Phones(n tel.Number) []tel.DeviceID { return []tel.DeviceID{tel.DeviceID(n)} }

// Language implements Plan.
func (o *office) Language() string { return "it" }

// Zone implements Plan.
func (o *office) Zone() string { return "Europe/Rome" }

// DialDevice implements Dialer.
func (o *office) DialDevice(dev tel.DeviceID, out Outgoing, events func(LegEvent)) ([]Leg, error) {
	l := o.leg("phone:"+string(dev), events)
	if o.dialling != nil {
		o.dialling()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rung[dev] = l
	l.note(fmt.Sprint("rings for ", out.From))
	return []Leg{l}, nil
}

// WhenQuiet implements Dialer: nothing of an earlier process rings, unless the test says so.
func (o *office) WhenQuiet(devs []tel.DeviceID, fn func()) {
	if o.whenQuiet != nil {
		o.whenQuiet(devs, fn)
		return
	}
	fn()
}

var errLineBusy = errors.New("the line is busy")

// DialOut implements Dialer: the line carries one call at a time.
func (o *office) DialOut(via string, to tel.Number, out Outgoing, events func(LegEvent)) (Leg, error) {
	o.mu.Lock()
	busy := o.lineUse != nil && !o.lineUse.over()
	o.mu.Unlock()
	if busy {
		return nil, errLineBusy
	}
	l := o.leg(via, events)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lineUse, o.attempt = l, out.Attempt
	return l, nil
}

func (o *office) leg(party string, events func(LegEvent)) *fakeLeg {
	id := tel.NewLegID()
	l := &fakeLeg{id: id, ref: "sip:" + string(id), party: party, events: events}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, l)
	return l
}

func (l *fakeLeg) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, journal: &hot{last: map[string][]byte{}}, hallJournal: &hot{last: map[string][]byte{}}, rung: map[tel.DeviceID]*fakeLeg{}, parties: map[tel.LegID]tel.PartyChanged{}}
	o.x = o.exchange()
	return o
}

func (o *office) exchange() *Exchange {
	var rooms Rooms
	var clerk Clerk
	if o.hall != nil {
		rooms, clerk = o.hall, o.hall
	}
	return New(Config{
		Log: slog.New(slog.DiscardHandler), Plan: func() Plan { return o }, Dialer: o, Journal: o.journal, Rooms: rooms, Clerk: clerk,
		Queue: func(m tel.ToQueue) bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.queue = append(o.queue, m)
			return true
		},
		Command: func(tel.AgentID, string, string) {}, Supervise: o.supervise, Recorder: o.recorder,
		Progress: func(c tel.CallID, status int, final bool) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.told = append(o.told, strings.TrimSuffix(fmt.Sprintf("%s %d %v", c, status, final), " false"))
		},
		Publish: func(e tel.Event) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.events = append(o.events, e)
			if p, ok := e.(tel.PartyChanged); ok {
				if o.parties[p.Leg] = p; p.Phase == tel.PartyGone {
					delete(o.parties, p.Leg)
				}
			}
		},
		Record: func(r tel.CallEnded) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.records = append(o.records, r)
		},
	})
}

func (o *office) run(name string, do func(o *office)) {
	o.t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			at := newOffice(t)
			do(at)
			if err := at.x.Close(context.Background()); err != nil {
				t.Error(err)
			}
			at.mu.Lock()
			defer at.mu.Unlock()
			if len(at.parties) > 0 || len(at.x.places) > 0 || len(at.x.parked) > 0 || len(at.journal.last) > 0 {
				t.Errorf("left behind: lamps %v, legs %v, places %v, snapshots %d", at.parties, at.x.places, at.x.parked, len(at.journal.last))
			}
		})
	})
}

// dial has a phone or a trunk call a number.
func (o *office) dial(from string, n tel.Number) *fakeLeg {
	return o.arrive(Arrival{From: from, Dialed: n})
}

func (o *office) arrive(in Arrival) *fakeLeg {
	o.t.Helper()
	if dev, ok := strings.CutPrefix(in.From, "phone:"); ok {
		in.Device, in.Caller = tel.DeviceID(dev), tel.Number(dev)
	} else {
		in.Caller = "+39061234567"
	}
	var l *fakeLeg
	if _, err := o.x.Arrive(in, func(ev func(LegEvent)) Leg {
		l = o.leg(in.From, ev)
		return l
	}); err != nil {
		o.t.Fatal(err)
	}
	synctest.Wait()
	return l
}

func (o *office) phone(n tel.DeviceID) *fakeLeg {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.rung[n]
	if l == nil {
		o.t.Fatalf("phone %s was never rung", n)
	}
	return l
}

func (l *fakeLeg) says(e LegEvent) {
	e.Leg = l.id
	l.events(e)
	synctest.Wait()
}

func (l *fakeLeg) answers() { l.says(LegEvent{Kind: LegAnswered}) }
func (l *fakeLeg) hangsUp() {
	l.pair(nil)
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.says(LegEvent{Kind: LegEnded, Cause: tel.CauseNormal, Remote: true})
}

// wants fails unless the leg was told these things last, in this order.
func (o *office) wants(who string, l *fakeLeg, last ...string) {
	o.t.Helper()
	told := l.told()
	if len(told) < len(last) || !slices.Equal(told[len(told)-len(last):], last) {
		o.t.Errorf("%s was told %q, want %q at the end", who, told, last)
	}
}

// lamp is what a busy-lamp field shows of a phone: the phases of its legs.
func (o *office) lamp(party string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, p := range o.parties {
		if p.Party == party {
			all = append(all, string(p.Phase)+" "+string(p.Remote))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
