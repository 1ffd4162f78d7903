package chair

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/conference"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// house is what stands around a chair.
type house struct {
	mu      sync.Mutex
	sent    []tel.ToCall
	mixed   [][]conference.Voice
	shown   []tel.ConferenceChanged
	speaks  map[tel.LegID]bool
	journal map[string]map[string][]byte
	broken  bool // the journal takes nothing
}

func newHouse() *house {
	return &house{speaks: map[tel.LegID]bool{}, journal: map[string]map[string][]byte{JournalKind: {}, GuardKind: {}}}
}

// Put implements HotJournal.
func (h *house) Put(kind, key string, value []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken {
		return errors.New("the disk is full")
	}
	h.journal[kind][key] = slices.Clone(value)
	return nil
}

// Delete implements HotJournal.
func (h *house) Delete(kind, key string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.journal[kind], key)
	return nil
}

func (h *house) open(rooms ...Room) *Chair {
	h.mu.Lock()
	kept, guard := maps.Clone(h.journal[JournalKind]), maps.Clone(h.journal[GuardKind])
	h.mu.Unlock()
	return New(Config{
		Log: slog.New(slog.DiscardHandler), Rooms: rooms, Journal: h, Kept: kept, Guard: guard,
		Send: func(m tel.ToCall) { h.mu.Lock(); defer h.mu.Unlock(); h.sent = append(h.sent, m) },
		Mix: func(_ tel.ConferenceID, v []conference.Voice) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.mixed = append(h.mixed, v)
		},
		Speaks: func(l tel.LegID) bool { h.mu.Lock(); defer h.mu.Unlock(); return h.speaks[l] },
		Publish: func(e tel.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.shown = append(h.shown, e.(tel.ConferenceChanged))
		},
	})
}

// last is what observers know of the room at last.
func (h *house) last() tel.ConferenceChanged {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.shown) == 0 {
		return tel.ConferenceChanged{}
	}
	return h.shown[len(h.shown)-1]
}

// got lists what calls were told since the last time, but sounds.
func (h *house) got() string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, m := range h.sent {
		switch m := m.(type) {
		case tel.Seated:
			all = append(all, string(m.Call)+" seated")
		case tel.SeatRefused:
			all = append(all, string(m.Call)+" "+string(m.Why))
		case tel.SeatEnded:
			all = append(all, string(m.Call)+" "+string(m.Why))
		}
	}
	h.sent = nil
	return strings.Join(all, ", ")
}

func hall() Room {
	return Room{Spec: conference.Spec{ID: "hall", Name: "Sala", Limit: 5}, PIN: "2468", LeaderPIN: "97531"}
}

func enter(call tel.CallID) tel.EnterConference {
	return tel.EnterConference{Call: call, Conference: "hall", Leg: tel.LegID("leg-" + call)}
}

func TestARoomThatIsKilledComesBackWithWhoIsInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		c := h.open(hall())
		lead := enter("a")
		lead.Leader = true
		for _, m := range []tel.ToConference{
			lead, enter("b"), enter("c"),
			tel.ConferenceKey{Call: "b", Conference: "hall", Key: '*'},
			tel.ConferenceKey{Call: "b", Conference: "hall", Key: '6'},
			tel.ConferenceKey{Call: "a", Conference: "hall", Key: '*'},
			tel.ConferenceKey{Call: "a", Conference: "hall", Key: '1'},
		} {
			if !c.Tell(m) {
				t.Fatal("not taken")
			}
		}
		if got := h.got(); got != "a seated, b seated, c seated" {
			t.Fatal(got)
		}
		c.Close() // as a crash: the journal stays as it is

		c = h.open(hall())
		defer c.Close()
		for _, call := range []tel.CallID{"b", "a"} {
			m := enter(call)
			m.Again = true
			c.Tell(m)
		}
		c.Returned()
		c.Tell(enter("d"))
		if got := h.got(); got != "b seated, a seated, d locked" {
			t.Errorf("told %q", got)
		}
		last := h.last()
		if len(last.Members) != 2 || !last.Locked || !last.Members[0].Leader || !last.Members[1].Muted {
			t.Errorf("%+v", last)
		}
		h.mu.Lock()
		mixed := h.mixed[len(h.mixed)-1]
		h.mu.Unlock()
		if !slices.Equal(mixed, []conference.Voice{{Leg: "leg-a", Heard: true}, {Leg: "leg-b", Heard: false}}) {
			t.Errorf("mixed %+v", mixed)
		}
		c.Tell(tel.LeaveConference{Call: "a", Conference: "hall"})
		c.Tell(tel.LeaveConference{Call: "b", Conference: "hall"})
		synctest.Wait()
		if len(h.journal[JournalKind]) > 0 {
			t.Error("a conference that is over stays in the journal")
		}
	})
}

func TestTheDoorOpensByTheRightCodeAndIsSlowForWhoGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		open := hall()
		open.ID, open.PIN = "open", ""
		c := h.open(hall(), open)
		try := func(room tel.ConferenceID, caller, code string) (answer string) {
			c.Check(room, caller, code, func(ok, leader bool) {
				answer = map[bool]string{true: "ok", false: "no"}[ok] + map[bool]string{true: " leader"}[leader]
			})
			synctest.Wait()
			return answer
		}
		for _, x := range []struct{ room, caller, code, want string }{
			{"hall", "201", "2468", "ok"},
			{"hall", "201", "97531", "ok leader"},
			{"hall", "201", "", "no"},
			{"ghost", "201", "2468", "no"},
			{"open", "202", "", "ok"},
			{"open", "202", "97531", "ok leader"},
			{"open", "202", "2468", "no"},
			{"hall", "333", "1111", "no"},
			{"hall", "333", "2222", "no"},
			{"open", "333", "3333", "no"},
			{"hall", "333", "2468", "no"},
			{"hall", "334", "2468", "ok"},
		} {
			if got := try(tel.ConferenceID(x.room), x.caller, x.code); got != x.want {
				t.Errorf("%s tries %q at %s: %s, want %s", x.caller, x.code, x.room, got, x.want)
			}
		}
		c.Close()
		c = h.open(hall())
		if got := try("hall", "333", "2468"); got != "no" {
			t.Errorf("a restart opens the door: %s", got)
		}
		time.Sleep(time.Minute)
		if got := try("hall", "333", "2468"); got != "ok" {
			t.Errorf("a minute later: %s", got)
		}
		c.Close()
	})
}

func TestThePageLeadsARoomAndSeesWhoSpeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		c := h.open(hall())
		defer c.Close()
		c.Tell(enter("a"))
		c.Tell(enter("b"))
		ctx := context.Background()
		h.mu.Lock()
		h.speaks["leg-b"] = true
		h.mu.Unlock()
		time.Sleep(look + time.Millisecond)
		if last := h.last(); last.Members[0].Speaking || !last.Members[1].Speaking {
			t.Errorf("who speaks is not seen: %+v", last)
		}
		h.got()
		for _, x := range []struct {
			room tel.ConferenceID
			o    conference.Order
			want error
		}{
			{"hall", conference.Order{What: conference.Mute, Call: "b"}, nil},
			{"hall", conference.Order{What: conference.Mute, Call: "x"}, ErrNoMember},
			{"ghost", conference.Order{What: conference.End}, ErrNoRoom},
			{"hall", conference.Order{What: conference.Lock}, nil},
			{"hall", conference.Order{What: conference.Remove, Call: "a"}, nil},
		} {
			if err := c.Order(ctx, x.room, x.o); !errors.Is(err, x.want) {
				t.Errorf("%s %+v: %v, want %v", x.room, x.o, err, x.want)
			}
		}
		if last := h.last(); len(last.Members) != 1 || !last.Members[0].Muted || last.Members[0].Speaking || !last.Locked {
			t.Errorf("%+v", last)
		}
		c.Configure(nil)
		c.Tell(enter("c"))
		if got := h.got(); got != "a removed, b gone, c gone" {
			t.Errorf("told %q", got)
		}
	})
}

func TestABrokenJournalAndABrokenSnapshotCostNobodyTheConference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		h.broken = true
		h.journal[JournalKind]["hall"] = []byte("{")
		h.journal[GuardKind]["guard"] = []byte("no")
		c := h.open(hall())
		defer c.Close()
		c.Tell(enter("a"))
		if got := h.got(); got != "a seated" {
			t.Errorf("told %q", got)
		}
	})
}

func TestAClosedChairAnswersOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse().open(hall())
		c.Close()
		if err := c.Order(context.Background(), "hall", conference.Order{What: conference.End}); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}
