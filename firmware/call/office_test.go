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
	records []tel.CallEnded
	parties map[tel.LegID]tel.PartyChanged
	events  []tel.Event

	supervise SuperviseFunc // of the exchange that is made next
	told      []string      // to who clicked: "call status", and "final"
	dialling  func()        // runs as a phone's INVITE leaves; nil: nothing
}

// Route implements Plan.
func (o *office) Route(from string, _, n tel.Number, _ time.Time) Decision {
	slots := []tel.Number{"701", "702"}
	switch {
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
	o.lineUse = l
	return l, nil
}

func (o *office) leg(party string, events func(LegEvent)) *fakeLeg {
	id := tel.NewLegID()
	return &fakeLeg{id: id, ref: "sip:" + string(id), party: party, events: events}
}

func (l *fakeLeg) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, journal: &hot{last: map[string][]byte{}}, rung: map[tel.DeviceID]*fakeLeg{}, parties: map[tel.LegID]tel.PartyChanged{}}
	o.x = o.exchange()
	return o
}

func (o *office) exchange() *Exchange {
	return New(Config{
		Log: slog.New(slog.DiscardHandler), Plan: func() Plan { return o }, Dialer: o, Journal: o.journal,
		Queue: func(m tel.ToQueue) bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.queue = append(o.queue, m)
			return true
		},
		Command: func(tel.AgentID, string, string) {}, Supervise: o.supervise,
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

func TestBetweenCalls(t *testing.T) {
	o := &office{t: t}
	o.run("attended transfer: both parties talk, the transferor is free, two records", func(o *office) {
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		anna.says(LegEvent{Kind: LegHeld, Held: true})
		consult := o.dial("phone:201", "202")
		bruno := o.phone("202")
		bruno.answers()
		anna.says(LegEvent{Kind: LegRefer, Replaces: consult.ref})
		o.wants("Anna", anna, "refer 202", "notify 200 final", "hangup transferred")
		o.wants("Anna's other leg", consult, "hangup transferred")
		o.wants("the customer", customer, "hush", "join "+string(bruno.id))
		if len(o.records) != 1 || o.records[0].Cause != tel.CauseTransferred || len(o.records[0].Moves) != 1 {
			o.t.Errorf("records %+v", o.records)
		}
		if lamp := o.lamp("phone:202"); lamp != "talking +39061234567" {
			o.t.Errorf("202's lamp says %q: the remote identity must be the customer's", lamp)
		}
		customer.hangsUp()
		o.wants("Bruno", bruno, "hangup normal")
		if len(o.records) != 2 || o.records[1].Out != "phone:202" {
			o.t.Errorf("records %+v", o.records)
		}
	})
	o.run("semi-attended transfer: the customer hears ringing, then the target", func(o *office) {
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		consult := o.dial("phone:201", "202")
		bruno := o.phone("202")
		anna.says(LegEvent{Kind: LegRefer, Replaces: consult.ref})
		o.wants("the customer", customer, "play tone_ringback")
		bruno.answers()
		o.wants("the customer", customer, "join "+string(bruno.id))
	})
	o.run("the customer hangs up in the instant of the transfer: nobody is left in a dead call", func(o *office) {
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		consult := o.dial("phone:201", "202")
		bruno := o.phone("202")
		bruno.answers()
		anna.events(LegEvent{Leg: anna.id, Kind: LegRefer, Replaces: consult.ref}) // both before anything runs
		customer.hangsUp()
		if calls := o.x.Calls(); len(calls) == 1 { // the refused transfer leaves the consultation alone
			bruno.hangsUp()
		}
		if calls := o.x.Calls(); len(calls) != 0 {
			o.t.Errorf("calls left: %v, Bruno was told %v", calls, bruno.told())
		}
	})
	o.run("park, lamp of the place, fetch", func(o *office) {
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		anna.says(LegEvent{Kind: LegRefer, To: "*70"})
		o.wants("Anna", anna, "notify 200 final", "hangup transferred")
		o.wants("the customer", customer, "play music")
		bruno := o.dial("phone:202", "701")
		o.wants("Bruno", bruno, "accept", "hush")
		o.wants("the customer", customer, "join "+string(bruno.id))
		second := o.dial("phone:203", "701")
		o.wants("who comes late", second, "hangup unallocated")
	})
	o.run("a parked call comes back to who parked it", func(o *office) {
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		anna.says(LegEvent{Kind: LegRefer, To: "*70"})
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		again := o.phone("201")
		if again == anna {
			o.t.Fatal("201 does not ring again")
		}
		o.wants("Anna", again, "rings for +39061234567")
		again.answers()
		o.wants("the customer", customer, "join "+string(again.id))
	})
	o.run("directed pickup takes the call that has rung longest, group pickup any", func(o *office) {
		first := o.dial("trunk:tim", "201")
		rung := o.phone("201")
		time.Sleep(time.Second)
		o.dial("trunk:tim", "201")
		carla := o.dial("phone:203", "*8201")
		o.wants("Carla", carla, "accept")
		o.wants("the first caller", first, "accept", "join "+string(carla.id))
		o.wants("phone 201", rung, "hangup answered_elsewhere")
	})
	o.run("an INVITE with Replaces takes what rings, early-only leaves what talks", func(o *office) {
		caller := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		late := func() *fakeLeg {
			return o.arrive(Arrival{From: "phone:203", Dialed: "201", Replaces: anna.ref, EarlyOnly: true})
		}
		carla := late()
		o.wants("the caller", caller, "join "+string(carla.id))
		other := o.dial("trunk:tim", "202")
		bruno := o.phone("202")
		bruno.answers()
		anna = bruno
		o.wants("who comes too late", late(), "hangup busy")
		o.wants("the other caller", other, "join "+string(bruno.id))
	})
	o.run("an emergency call cuts the call on the only line, never another emergency call", func(o *office) {
		o.dial("phone:201", "333")
		mobile := o.lineUse
		mobile.answers()
		help := o.dial("phone:202", "112")
		o.wants("the mobile", mobile, "hangup preempted")
		rescue := o.lineUse
		if rescue == mobile {
			o.t.Fatal("112 was not dialled")
		}
		rescue.answers()
		o.wants("who called 112", help, "join "+string(rescue.id))
		o.dial("phone:203", "112")
		time.Sleep(time.Minute)
		synctest.Wait()
		if rescue.over() {
			o.t.Error("an emergency call was cut for another")
		}
		if n := len(slices.DeleteFunc(slices.Clone(o.events), func(e tel.Event) bool { return e.Kind() != "emergency_called" })); n != 2 {
			o.t.Errorf("%d alarms for two emergency calls", n)
		}
	})
	o.run("completion on busy: who dialled *37 is called when both are free, and then the number", func(o *office) {
		o.dial("phone:201", "202")
		bruno := o.phone("202")
		bruno.answers()
		carla := o.dial("phone:203", "202")
		o.phone("202").says(LegEvent{Kind: LegEnded, Cause: tel.CauseBusy, Remote: true})
		o.wants("Carla", carla, "hangup busy")
		wish := o.dial("phone:203", "*37")
		o.wants("Carla", wish, "accept", "play tone_confirm")
		wish.says(LegEvent{Kind: LegPlayed})
		time.Sleep(time.Minute)
		synctest.Wait()
		if o.rung["203"] != nil {
			o.t.Fatal("Carla is called while 202 talks")
		}
		bruno.hangsUp()
		time.Sleep(wishPause)
		synctest.Wait()
		back := o.phone("203")
		o.wants("Carla", back, "rings for 202")
		before := o.phone("202")
		back.answers()
		again := o.phone("202")
		if again == before {
			o.t.Fatal("202 is not rung for Carla")
		}
		again.answers()
		o.wants("Carla", back, "join "+string(again.id))
	})
	o.run("a wish that was taken back calls nobody", func(o *office) {
		o.dial("phone:201", "202")
		bruno := o.phone("202")
		bruno.answers()
		o.dial("phone:203", "202")
		o.phone("202").says(LegEvent{Kind: LegEnded, Cause: tel.CauseBusy, Remote: true})
		o.dial("phone:203", "*37").says(LegEvent{Kind: LegPlayed})
		o.dial("phone:203", "#37").says(LegEvent{Kind: LegPlayed})
		bruno.hangsUp()
		time.Sleep(time.Minute)
		synctest.Wait()
		if o.rung["203"] != nil {
			o.t.Error("Carla is called all the same")
		}
	})
	o.run("who talks with the door opens it by its key, from either side of the call", func(o *office) {
		o.dial("phone:209", "201")
		anna := o.phone("201")
		anna.answers()
		anna.says(LegEvent{Kind: LegDigit, Digit: '5'})
		o.dial("phone:202", "209")
		door := o.phone("209")
		door.answers()
		door.says(LegEvent{Kind: LegDigit, Digit: '5'}) // who stands outside cannot let himself in
		var opened []string
		for _, e := range o.events {
			if d, ok := e.(tel.DoorOpened); ok {
				opened = append(opened, string(d.Door)+" by "+d.By)
			}
		}
		if !slices.Equal(opened, []string{"209 by phone:201"}) {
			o.t.Errorf("opened %q", opened)
		}
	})
	o.run("a caller from the phone book has a name", func(o *office) {
		o.dial("trunk:tim", "201")
		for _, p := range o.parties {
			if p.Party == "phone:201" && p.RemoteName != "Rossi" {
				o.t.Errorf("the lamp of 201 says %q", p.RemoteName)
			}
		}
	})
	o.run("who watches learns when a phone has said that it rings: only then its dialog has both tags", func(o *office) {
		o.dial("phone:201", "202")
		bruno := o.phone("202")
		if p := o.parties[bruno.id]; p.Phase != tel.PartyRinging || p.Alerted {
			o.t.Errorf("before the phone's word: %+v", p)
		}
		bruno.says(LegEvent{Kind: LegProgress})
		if p := o.parties[bruno.id]; p.Phase != tel.PartyRinging || !p.Alerted {
			o.t.Errorf("when it rings: %+v", p)
		}
		bruno.answers()
		if p := o.parties[bruno.id]; p.Phase != tel.PartyTalking || p.Alerted {
			o.t.Errorf("when it talks: %+v", p)
		}
		bruno.hangsUp()
	})
	o.run("a phone without call waiting is busy while it talks", func(o *office) {
		o.dial("phone:201", "202")
		if !o.x.inCall("phone:201") || !o.x.inCall("phone:202") || o.x.inCall("phone:203") {
			o.t.Error("who is in a call is not known")
		}
	})
}

// crash kills the exchange between prepare and after; the legs that prepare returns survive.
func crash(t *testing.T, prepare func(o *office) []*fakeLeg, after func(o *office, legs []*fakeLeg)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		legs := prepare(o)
		if err := o.x.Abandon(context.Background()); err != nil {
			t.Fatal(err)
		}
		find := finder{}
		for _, l := range legs {
			find[l.ref] = l
		}
		o.records, o.queue, o.parties = nil, nil, map[tel.LegID]tel.PartyChanged{}
		o.x = o.exchange()
		for _, err := range o.x.Restore(o.journal.load(), find) {
			t.Errorf("restore: %v", err)
		}
		synctest.Wait()
		after(o, legs)
		if err := o.x.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestEachStateOfACallSurvivesACrash(t *testing.T) {
	talk := func(o *office) (customer, anna *fakeLeg) {
		customer = o.dial("trunk:tim", "201")
		anna = o.phone("201")
		anna.answers()
		return customer, anna
	}
	t.Run("held: the held party hears music, resume joins", func(t *testing.T) {
		crash(t, func(o *office) []*fakeLeg {
			customer, anna := talk(o)
			anna.says(LegEvent{Kind: LegHeld, Held: true})
			return []*fakeLeg{customer, anna}
		}, func(o *office, l []*fakeLeg) {
			o.wants("the customer", l[0], "play music")
			l[1].says(LegEvent{Kind: LegHeld})
			o.wants("the customer", l[0], "hush", "join "+string(l[1].id))
		})
	})
	t.Run("parked: the place is kept and can be fetched, and the time goes on", func(t *testing.T) {
		for _, fetch := range []bool{true, false} {
			crash(t, func(o *office) []*fakeLeg {
				customer, anna := talk(o)
				anna.says(LegEvent{Kind: LegRefer, To: "*70"})
				return []*fakeLeg{customer}
			}, func(o *office, l []*fakeLeg) {
				o.wants("the customer", l[0], "play music")
				if fetch {
					bruno := o.dial("phone:202", "701")
					o.wants("the customer", l[0], "join "+string(bruno.id))
					return
				}
				time.Sleep(time.Minute + time.Second)
				synctest.Wait()
				anna := o.phone("201")
				o.wants("Anna", anna, "rings for +39061234567")
				anna.answers()
				l[0].says(LegEvent{Kind: LegEnded, Cause: tel.CauseNormal, Remote: true})
				if r := o.records[len(o.records)-1]; len(r.Moves) != 3 || r.Moves[1].Kind != tel.MoveParked || r.Moves[2].Kind != tel.MoveReturned {
					o.t.Errorf("the record tells of %+v", r.Moves)
				}
			})
		}
	})
	t.Run("consultation pending: both calls stay, and the transfer works afterwards", func(t *testing.T) {
		crash(t, func(o *office) []*fakeLeg {
			customer, anna := talk(o)
			anna.says(LegEvent{Kind: LegHeld, Held: true})
			consult := o.dial("phone:201", "202")
			bruno := o.phone("202")
			bruno.answers()
			return []*fakeLeg{customer, anna, consult, bruno}
		}, func(o *office, l []*fakeLeg) {
			o.wants("the customer", l[0], "play music")
			o.wants("Anna's other leg", l[2], "join "+string(l[3].id))
			l[1].says(LegEvent{Kind: LegRefer, Replaces: l[2].ref})
			o.wants("the customer", l[0], "join "+string(l[3].id))
			o.wants("Anna", l[1], "notify 200 final", "hangup transferred")
		})
	})
	t.Run("supervised: who listens hears both again, and one whose phone is gone is on record", func(t *testing.T) {
		for _, lost := range []bool{false, true} {
			crash(t, func(o *office) []*fakeLeg {
				o.supervise = allow(everything)
				o.x.cfg.Supervise = o.supervise
				customer, anna := talk(o)
				boss := o.dial("phone:208", "*51201")
				boss.says(LegEvent{Kind: LegDigit, Digit: '5'})
				if lost {
					return []*fakeLeg{customer, anna}
				}
				return []*fakeLeg{customer, anna, boss}
			}, func(o *office, l []*fakeLeg) {
				if lost {
					o.wants("the customer", l[0], "join "+string(l[1].id))
				} else {
					o.wants("Anna", l[1], "mix "+string(l[0].id)+" "+string(l[2].id))
					o.wants("the customer", l[0], "mix "+string(l[1].id))
				}
				l[0].hangsUp()
				want := "listen of agent201: mode, whisper of agent201: call_ended"
				if lost {
					want = "listen of agent201: mode, whisper of agent201: lost"
				}
				if got := spans(o.records[len(o.records)-1]); got != want {
					o.t.Errorf("the record says %q, want %q", got, want)
				}
			})
		}
	})
	t.Run("blind transfer ringing: the target rings again", func(t *testing.T) {
		crash(t, func(o *office) []*fakeLeg {
			customer, anna := talk(o)
			anna.says(LegEvent{Kind: LegRefer, To: "202"})
			return []*fakeLeg{customer, anna, o.phone("202")}
		}, func(o *office, l []*fakeLeg) {
			o.wants("the phone that rang", l[2], "hangup cancelled")
			bruno := o.phone("202")
			if bruno == l[2] {
				o.t.Fatal("202 does not ring again")
			}
			bruno.answers()
			o.wants("Anna", l[1], "notify 200 final", "hangup transferred")
			o.wants("the customer", l[0], "join "+string(bruno.id))
		})
	})
}

func TestAWithdrawnOfferIsNotWaitedForAfterACrash(t *testing.T) {
	crash(t, func(o *office) []*fakeLeg {
		customer := o.dial("trunk:tim", "400")
		call := o.x.Calls()[0]
		o.x.Deliver(tel.Offer{Offer: "o1", Call: call, Queue: "sales", Agent: "agent201", Ring: time.Minute})
		synctest.Wait()
		anna := o.phone("201")
		anna.mu.Lock()
		anna.rings = true
		anna.mu.Unlock()
		o.x.Deliver(tel.Withdraw{Offer: "o1", Call: call})
		synctest.Wait()
		if s, err := Restore(o.journal.load()[string(call)]); err != nil || len(s.Owed) != 1 || s.Owed[0].Asked != 1 {
			o.t.Errorf("the journal knows %+v %v", s.Owed, err)
		}
		return []*fakeLeg{customer}
	}, func(o *office, l []*fakeLeg) {
		call := o.x.Calls()[0]
		o.x.Deliver(tel.Withdraw{Offer: "o1", Call: call})
		synctest.Wait()
		if !slices.Contains(o.queue, tel.ToQueue(tel.OfferSettled{Offer: "o1"})) {
			o.t.Errorf("the queue was told %+v", o.queue)
		}
		l[0].hangsUp()
		if n := len(o.x.Calls()); n != 0 {
			o.t.Errorf("%d calls stay", n)
		}
	})
}

func TestASnapshotOfTheProgramBeforeIsUnderstood(t *testing.T) {
	s, err := Restore([]byte(`{"v":1,"call":"c1","direction":"in","from":"+39333","to":"400","stage":"talking","answered":"2026-03-02T11:59:00Z","caller":{"id":"a","party":"trunk:tim","ref":"r0","up":true},
		"peer":{"id":"b","party":"phone:201","ref":"r1","up":true},"queue":"sales","offer":"o1","agent":"anna","caller_is":""}`))
	if err != nil {
		t.Fatal(err)
	}
	_, out := Next(s, LegEvent{Leg: "a", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, noon)
	if got := brief(out); got != "hangup(b,normal) queue(TalkEnded) end(normal,caller)" {
		t.Errorf("a talk of the version before ends with %s", got)
	}
}
